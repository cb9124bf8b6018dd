import { constants } from 'node:fs';
import { access, lstat, mkdir, realpath, rm, stat } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { makeFolder } from './folders.ts';
import { systemErrorCode } from './file-errors.ts';

/** Why a folder cannot hold programs that Laminar runs: what was found there. */
export class UnsafeFolderError extends Error {}

/** The mode bits that a path must not have: writing by the group or by others. */
const OTHERS_WRITE = 0o022;
/** On a folder such as /tmp: users may remove only their own files. */
const STICKY = 0o1000;

/** The user who runs Laminar. Windows has no such number; nothing is unpacked there. */
const ownId = (): number => process.getuid?.() ?? 0;

/**
 * Where unpacked programs may lie, best first: XDG's cache folder, and a folder of the user's own in the temporary one.
 * An XDG_CACHE_HOME that is not absolute is ignored, as its specification asks.
 */
export function cachePlaces(): string[] {
  const named = process.env['XDG_CACHE_HOME'] ?? '';
  const cache = isAbsolute(named) ? named : join(homedir(), '.cache');
  return [join(cache, 'laminar'), join(tmpdir(), `laminar-${ownId()}`)];
}

/**
 * Makes a folder of mode 0700 that nobody else can change, or checks that it is one. It must be a folder and not a link,
 * owned by this user. The same holds for the folders above it, except those of the system and sticky ones. A folder of
 * ours that others could write into is emptied, because its files may be theirs.
 * @returns the folder's real path
 * @throws UnsafeFolderError naming the folder and what is wrong with it; the system's error where it cannot be made
 */
export async function makePrivateFolder(path: string): Promise<string> {
  const parent = dirname(path);
  await makeFolder(parent, 0o700);
  const folder = join(await realpath(parent), path.slice(parent.length));
  await checkAbove(folder);
  const before = await makeOrLook(folder);
  if (before && (before.mode & OTHERS_WRITE) !== 0) {
    await rm(folder, { recursive: true, force: true });
    await makeOrLook(folder);
  }
  const { mode } = await checkOwn(folder);
  if ((mode & OTHERS_WRITE) !== 0) throw new UnsafeFolderError(`${folder}: other users may write into it`);
  return folder;
}

/** Whether programs may run from a file's file system. A file's own mode must allow it. */
export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Makes the folder. @returns what was there before, if anything */
async function makeOrLook(folder: string): Promise<Stats | undefined> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return undefined;
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    return checkOwn(folder);
  }
}

async function checkOwn(folder: string): Promise<Stats> {
  const found = await lstat(folder);
  if (found.isSymbolicLink()) throw new UnsafeFolderError(`${folder}: is a link, where a folder is needed`);
  if (!found.isDirectory()) throw new UnsafeFolderError(`${folder}: is a file, where a folder is needed`);
  if (found.uid !== ownId()) {
    throw new UnsafeFolderError(`${folder}: belongs to another user (number ${found.uid})`);
  }
  return found;
}

async function checkAbove(folder: string): Promise<void> {
  // If user numbers are mapped (containers), the system's files have the same owner as the root folder.
  const trusted = new Set([0, ownId(), (await stat('/')).uid]);
  for (let above = dirname(folder); ; above = dirname(above)) {
    const { uid, mode } = await stat(above);
    if (!trusted.has(uid)) {
      throw new UnsafeFolderError(`${above}: belongs to another user (number ${uid})`);
    }
    if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
      throw new UnsafeFolderError(`${above}: other users may write into it`);
    }
    if (above === dirname(above)) return;
  }
}
