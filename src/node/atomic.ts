import type { FileHandle } from 'node:fs/promises';
import { open, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { FileError } from '../engine/errors.ts';
import { syncFolder, syncHandle } from './durable.ts';
import { fileErrorFrom } from './file-errors.ts';
import { checkWritableFolder, makeFolder } from './folders.ts';
import { cleanStaging, makeStaging, removeStaging } from './staging.ts';

/**
 * A file that appears whole or not at all: it is written in a hidden folder beside its place, and renamed by commit().
 * If a write fails, or after abort(), the path holds what it held before. What a killed process left is removed by the
 * next process that writes into the same folder.
 */
export class AtomicFile {
  #state: 'open' | 'committed' | 'aborted' = 'open';

  private constructor(
    readonly path: string,
    private readonly staging: string,
    private readonly handle: FileHandle,
  ) {}

  /** Makes the folder too, if it is not there. @throws FileError if the file cannot be made. */
  static async create(path: string): Promise<AtomicFile> {
    const folder = dirname(path);
    let staging: string | undefined;
    try {
      await checkReplaceable(path);
      await makeFolder(folder);
      await cleanStaging(folder);
      staging = await makeStaging(folder);
      return new AtomicFile(path, staging, await open(join(staging, basename(path)), 'wx'));
    } catch (error) {
      if (staging !== undefined) await removeStaging(staging);
      throw fileErrorFrom(error, path, 'write the file');
    }
  }

  /**
   * Writes all the bytes at any place in the file; gaps that nothing fills read as zeros.
   * @throws FileError if they cannot be written; the file is given up then.
   */
  async write(offset: number, bytes: Uint8Array): Promise<void> {
    this.#mustBeOpen();
    try {
      let done = 0;
      while (done < bytes.byteLength) {
        const { bytesWritten } = await this.handle.write(bytes, done, bytes.byteLength - done, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      await this.abort();
      throw fileErrorFrom(error, this.path, 'write the file');
    }
  }

  /**
   * Gives the file its name, in place of what was there, when the disk has all of it.
   * @throws FileError if that fails; nothing is left then.
   */
  async commit(): Promise<void> {
    this.#mustBeOpen();
    this.#state = 'committed';
    try {
      await syncHandle(this.handle).finally(() => this.handle.close());
      await rename(join(this.staging, basename(this.path)), this.path);
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw fileErrorFrom(error, this.path, 'write the file');
    } finally {
      await removeStaging(this.staging);
    }
  }

  /** Removes what was written. Does nothing to a file that was committed or aborted. */
  async abort(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'aborted';
    // A disk that is full may fail the close as well; the file goes away anyway.
    await this.handle.close().catch(() => undefined);
    await removeStaging(this.staging);
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open') throw FileError.at(this.path, `was ${this.#state} already`);
  }
}

/**
 * Checks, before long work, that a file can be written after it: a hidden file of that name is made and removed.
 * Nothing is left.
 * @throws FileError if it cannot
 */
export async function checkWritableFile(path: string): Promise<void> {
  await checkReplaceable(path);
  const nearest = await checkWritableFolder(dirname(path));
  let staging: string | undefined;
  try {
    staging = await makeStaging(nearest);
    const probe = join(staging, relative(nearest, resolve(path)));
    await makeFolder(dirname(probe));
    await writeFile(probe, '');
  } catch (error) {
    throw fileErrorFrom(error, path, 'write the file');
  } finally {
    if (staging !== undefined) await removeStaging(staging);
  }
}

/** Refuses a folder or a device: renaming over /dev/null would put a file in its place. */
export async function checkReplaceable(path: string): Promise<void> {
  const status = await stat(path).catch(() => undefined);
  if (status?.isDirectory() || /[\\/]$/.test(path))
    throw FileError.at(path, 'is a folder; give the path of a file');
  if (status && !status.isFile()) throw FileError.at(path, 'is not an ordinary file; give another path');
}
