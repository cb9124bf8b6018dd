import { lstatSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { mkdir, rename, rmdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { FileError } from '../engine/errors.ts';
import { liesInside } from '../engine/weight-files.ts';
import { checkReplaceable } from './atomic.ts';
import { syncFile, syncFolder } from './durable.ts';
import { fileErrorFrom } from './file-errors.ts';
import { checkWritableFolder } from './folders.ts';
import { acquireLock } from './lock.ts';
import type { Lock } from './lock.ts';
import { describeOwner, isToken } from './owner.ts';
import { atSuddenEnd } from './sudden-end.ts';
import { JOURNAL, makeStaging, removeStaging, stagingIn } from './staging.ts';

const LOCK = '.laminar.lock';
/** Folders in the staging folder: for new files, and for the old files that made room. */
const [NEW, OLD] = ['new', 'old'];

/** Whether a name in a folder is this module's: of a lock, or of files in the making. */
export function isOwnName(name: string): boolean {
  return name === LOCK || (name.startsWith('.') && isToken(name.slice(1)));
}

/** What is to be put in place, paths with /. */
interface Swap {
  /** Everything that an earlier run may have written: it is removed. */
  readonly all: readonly string[];
  /** What is written now. The file that shows that all are there comes last. */
  readonly written: readonly string[];
}

/**
 * The files that a run writes into a folder. They are written in a hidden folder within it. When the last is done, they
 * replace an earlier run's files all at once. Whenever the process is killed, the folder holds the files of one run only. If
 * it is killed during the swap, the next writer finishes the swap. The disk has the files before the swap begins, and the
 * swap before it is forgotten, so that this holds for a loss of power, too. Other files in the folder are not touched. Only
 * one writer at a time has the folder.
 */
export class FileSet implements AsyncDisposable {
  readonly #written: string[] = [];
  #isOpen = true;
  readonly #forget: () => void;

  private constructor(
    readonly folder: string,
    private readonly names: readonly string[],
    private readonly staging: string,
    private readonly lock: Lock,
    /** Those above the files that this run made, the outermost first. */
    private readonly made: readonly string[],
  ) {
    this.#forget = atSuddenEnd(() => {
      rmSync(this.staging, { recursive: true, force: true });
      rmSync(join(this.folder, LOCK), { force: true });
      for (const path of [...this.made].reverse()) rmdirSync(path);
    });
  }

  /**
   * Takes a folder for writing, and makes it where it is not there.
   * @param names every file that such a run may write there, in the order in which they are put in place
   * @param options.onNotice told if an earlier run was killed as it put its files in place
   * @throws FileError if another process writes there, or one of the names cannot be written; nothing is left then
   */
  static async open(
    folder: string,
    names: readonly string[],
    options: { onNotice?: ((line: string) => void) | undefined } = {},
  ): Promise<FileSet> {
    const made: string[] = [];
    let lock: Lock | undefined;
    let staging: string | undefined;
    try {
      await makeFolders(folder, made);
      lock = await acquireLock(join(folder, LOCK), {
        onWait: (holder) => {
          throw FileError.at(
            folder,
            `${describeOwner(holder)} is writing into it; wait until it is done, or give another --out`,
          );
        },
        mayTakeFromLiving: false,
      });
      await finishAbandoned(folder, options.onNotice);
      await checkPlaces(folder, names);
      staging = await makeStaging(folder);
      for (const name of names) await mkdir(dirname(join(staging, NEW, name)), { recursive: true });
      return new FileSet(folder, names, staging, lock, made);
    } catch (error) {
      if (staging !== undefined) await removeStaging(staging);
      await lock?.release();
      await removeEmpty(made);
      throw fileErrorFrom(error, folder, 'write into the folder');
    }
  }

  /** Where to write a file of the set until it is complete. */
  place(name: string): string {
    if (!this.names.includes(name))
      throw FileError.at(
        this.folder,
        `${name} is not a file of this run; report this as a defect of Laminar`,
      );
    if (!this.#written.includes(name)) this.#written.push(name);
    return join(this.staging, NEW, name);
  }

  /** Writes a whole file of the set. @throws FileError */
  async write(name: string, content: string | Uint8Array): Promise<void> {
    await writeFile(this.place(name), content).catch((error: unknown) => {
      throw fileErrorFrom(error, join(this.folder, name), 'write the file');
    });
  }

  /** Puts the files in place, and removes an earlier run's. @throws FileError if that fails; all is as before then. */
  async commit(): Promise<void> {
    const written = this.names.filter((name) => this.#written.includes(name));
    try {
      const journal = join(this.staging, JOURNAL);
      await writeFile(`${journal}.new`, JSON.stringify({ all: this.names, written } satisfies Swap));
      const files = written.map((name) => join(this.staging, NEW, name));
      await Promise.all([...files, `${journal}.new`].map(syncFile));
      await Promise.all(foldersOf(join(this.staging, NEW), written).map(syncFolder));
      await rename(`${journal}.new`, journal);
      await syncFolder(this.staging);
      swap(this.folder, this.staging, { all: this.names, written });
      await syncSwapped(this.folder, written);
      await this.#end();
    } catch (error) {
      await this[Symbol.asyncDispose]();
      throw fileErrorFrom(error, this.folder, 'put the files in place');
    }
  }

  /** Gives the folder up as it was before, unless the files are in place. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    await this.#end();
    await removeEmpty(this.made);
  }

  async #end(): Promise<void> {
    this.#isOpen = false;
    await removeStaging(this.staging);
    await this.lock.release();
    this.#forget();
  }
}

/**
 * Makes room and puts the files in place. It may be started again where it ended: the first new file comes after the
 * last old file has gone. The system calls follow each other without a turn of the event loop, so that it takes a
 * millisecond.
 * @throws the system's error; what was done is undone then
 */
function swap(folder: string, staging: string, { all, written }: Swap): void {
  const done: (readonly [from: string, to: string])[] = [];
  const move = (from: string, to: string): void => {
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
    done.push([from, to]);
  };
  const waiting = written.filter((name) => isThere(join(staging, NEW, name)));
  try {
    if (waiting.length === written.length) {
      for (const name of [...all].reverse()) {
        if (isThere(join(folder, name))) move(join(folder, name), join(staging, OLD, name));
      }
    }
    for (const name of waiting) move(join(staging, NEW, name), join(folder, name));
  } catch (error) {
    for (const [from, to] of done.reverse()) renameSync(to, from);
    throw error;
  }
}

/** The folder of a set and those within it that hold files of it. */
function foldersOf(folder: string, names: readonly string[]): string[] {
  return [...new Set(['.', ...names.map((name) => dirname(name))])].map((name) => join(folder, name));
}

/** What was put in place stays there if the power fails. If a disk cannot confirm that, the files are in place all the same. */
async function syncSwapped(folder: string, written: readonly string[]): Promise<void> {
  await Promise.all(foldersOf(folder, written).map(syncFolder)).catch(() => undefined);
}

/** Finishes what a process that has ended had begun to put in place, and removes what others left. */
async function finishAbandoned(folder: string, onNotice?: (line: string) => void): Promise<void> {
  for (const { path, isAbandoned } of await stagingIn(folder)) {
    // Only the holder of the lock swaps, and that is this process: another one that began a swap has ended.
    if (!isAbandoned && !isThere(join(path, JOURNAL))) continue;
    const plan = readJournal(path);
    if (plan?.written.some((name) => isThere(join(path, NEW, name)))) {
      swap(folder, path, plan);
      await syncSwapped(folder, plan.written);
      onNotice?.(`${folder}: put the files of an earlier run in place, which was stopped while it did so`);
    }
    await removeStaging(path);
  }
}

/** @returns what was to be put in place; undefined if nothing was yet */
function readJournal(staging: string): Swap | undefined {
  const path = join(staging, JOURNAL);
  if (!isThere(path)) return undefined;
  try {
    const { all, written } = JSON.parse(readFileSync(path, 'utf8')) as Swap;
    const isSwap = [...all, ...written].every((name) => typeof name === 'string' && liesInside(name));
    return isSwap ? { all, written } : undefined;
  } catch {
    return undefined; // not ours: we write it whole
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Checks that each file can take its name. */
async function checkPlaces(folder: string, names: readonly string[]): Promise<void> {
  const { dev } = await stat(folder);
  for (const name of names) {
    await checkReplaceable(join(folder, name));
    if (!name.includes('/')) continue;
    const between = dirname(join(folder, name));
    const status = await stat(between).catch(() => undefined);
    if (status && !status.isDirectory())
      throw FileError.at(between, 'is a file, where a folder is needed; give another --out');
    // Files cannot be renamed across file systems.
    if (status && status.dev !== dev)
      throw FileError.at(between, `is on another file system than ${folder}; give another --out`);
  }
}

/** Makes a folder and those above it, and notes which, the outermost first. */
async function makeFolders(folder: string, made: string[]): Promise<void> {
  let nearest = await checkWritableFolder(folder);
  const missing = resolve(folder).slice(nearest.length).split(/[\\/]/).filter(Boolean);
  for (const name of missing) {
    nearest = join(nearest, name);
    await mkdir(nearest).then(
      () => made.push(nearest),
      async (error: unknown) => {
        if (!(await stat(nearest).catch(() => undefined))?.isDirectory()) throw error;
      },
    );
  }
}

async function removeEmpty(made: readonly string[]): Promise<void> {
  for (const path of [...made].reverse()) await rmdir(path).catch(() => undefined);
}
