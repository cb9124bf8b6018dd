import { createHash, randomUUID } from 'node:crypto';
import { chmod, lstat, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DeviceError } from '../engine/errors.ts';
import { fileErrorFrom } from './file-errors.ts';
import { cachePlaces, isExecutable, makePrivateFolder, UnsafeFolderError } from './private-folder.ts';

/** Programs that npm packages carry packed, and that can run only once they lie in a folder. */
export interface Programs {
  /** The folder's name: it names all versions, because a folder of that name is used again. */
  readonly name: string;
  /** Content by path below the folder. Called only where the folder lacks something. */
  readonly unpack: () => Promise<ReadonlyMap<string, Uint8Array>>;
  /** What is compared before use: only sizes if hashing would take longer than running. */
  readonly compare: 'content' | 'sizes';
}

/** Where programs lie, ready to run. */
export interface Unpacked {
  readonly folder: string;
  /** The places before it that could not be used, with the reason. */
  readonly refused: readonly string[];
}

/** The list of what lies in the folder, written last. */
const LIST = 'files.json';
const PARTIAL = '.partial';
/** A file that another process began so long ago will not be finished. */
const STALE_MILLISECONDS = 3_600_000;

type List = Readonly<Record<string, { readonly bytes: number; readonly sha256: string }>>;

/**
 * Brings programs into a folder that only this user can write, once per version, and checks them before each use: what
 * is damaged is unpacked again. If a place cannot be used (read-only, full, another user's, no programs may run from
 * it), the next one is tried. Several processes may do so at once.
 * @param places folders to try, best first
 * @throws DeviceError naming each place, what is wrong with it, and what to do
 */
export async function unpackPrograms(programs: Programs, places = cachePlaces()): Promise<Unpacked> {
  const refused: string[] = [];
  for (const place of places) {
    try {
      const folder = await unpackInto(place, programs);
      return { folder, refused };
    } catch (error) {
      if (error instanceof DeviceError) throw error;
      refused.push(reasonOf(error, place));
    }
  }
  throw new DeviceError(
    `${programs.name} cannot be unpacked anywhere (${refused.join('; ')}); let XDG_CACHE_HOME name a folder that only ` +
      'you can write and from which programs may run',
  );
}

function reasonOf(error: unknown, place: string): string {
  if (error instanceof UnsafeFolderError) return error.message;
  const named = fileErrorFrom(error, place, 'unpack into the folder');
  return named instanceof Error ? named.message : String(named);
}

async function unpackInto(place: string, { name, unpack, compare }: Programs): Promise<string> {
  const folder = await makePrivateFolder(join(await makePrivateFolder(place), name));
  if (!(await isWhole(folder, compare))) {
    const list: Record<string, List[string]> = {};
    const made = new Set<string>();
    for (const [path, content] of await unpack()) {
      // Each folder in between is made again if it is a link or another user's.
      await makeFoldersBetween(folder, dirname(path), made);
      await writeWhole(join(folder, path), content);
      list[path] = { bytes: content.length, sha256: digest(content) };
    }
    await writeWhole(join(folder, LIST), JSON.stringify(list));
    await removeStale(folder);
    if (!(await isWhole(folder, compare))) {
      throw new UnsafeFolderError(`${folder}: does not hold what was written into it`);
    }
  }
  const [program] = Object.keys(await readList(folder));
  if (program !== undefined && !(await isExecutable(join(folder, program)))) {
    throw new UnsafeFolderError(`${folder}: no program may run from there (mounted noexec)`);
  }
  return folder;
}

async function makeFoldersBetween(folder: string, path: string, made: Set<string>): Promise<void> {
  if (path === '.' || made.has(path)) return;
  await makeFoldersBetween(folder, dirname(path), made);
  const between = join(folder, path);
  const found = await lstat(between).catch(() => undefined);
  if (found && !found.isDirectory()) await rm(between, { force: true });
  await makePrivateFolder(between);
  made.add(path);
}

/** Puts a file in its place at once: another process finds the old one or the new one, never a part. */
async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  const partial = `${path}.${randomUUID()}${PARTIAL}`;
  try {
    await writeFile(partial, content, { mode: 0o700, flag: 'wx' });
    await chmod(partial, 0o700); // whatever the umask took away
    const inTheWay = await lstat(path).catch(() => undefined);
    if (inTheWay?.isDirectory()) await rm(path, { recursive: true, force: true });
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Whether the folder holds the files that its list names: regular, ours alone to write, and with the same content. */
async function isWhole(folder: string, compare: Programs['compare']): Promise<boolean> {
  try {
    const { uid } = await stat(folder);
    for (const [path, { bytes, sha256 }] of Object.entries(await readList(folder))) {
      for (let between = dirname(path); between !== '.'; between = dirname(between)) {
        if (!isOurs(await lstat(join(folder, between)), uid, 'folder')) return false;
      }
      const file = join(folder, path);
      const found = await lstat(file);
      if (!isOurs(found, uid, 'file') || found.size !== bytes) return false;
      if (compare === 'content' && digest(await readFile(file)) !== sha256) return false;
    }
    return true;
  } catch {
    return false; // not there, or not readable: unpacking tells why
  }
}

function isOurs(found: Awaited<ReturnType<typeof lstat>>, uid: number, kind: 'file' | 'folder'): boolean {
  const isOfKind = kind === 'file' ? found.isFile() : found.isDirectory();
  return isOfKind && found.uid === uid && (Number(found.mode) & 0o022) === 0;
}

async function readList(folder: string): Promise<List> {
  const list = JSON.parse(await readFile(join(folder, LIST), 'utf8')) as List;
  if (Object.keys(list).length === 0) throw new UnsafeFolderError(`${folder}: its list is empty`);
  return list;
}

/** Removes what processes left that were killed while they unpacked. */
async function removeStale(folder: string): Promise<void> {
  for (const path of await readdir(folder, { recursive: true })) {
    if (!path.endsWith(PARTIAL)) continue;
    const file = join(folder, path);
    const age = Date.now() - ((await stat(file).catch(() => undefined))?.mtimeMs ?? Date.now());
    if (age > STALE_MILLISECONDS) await rm(file, { force: true });
  }
}

function digest(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
