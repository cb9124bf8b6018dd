import type { Stats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkBudget } from '../engine/budgets.ts';
import { FileError } from '../engine/errors.ts';
import type { ByteSource, ModelFiles } from '../engine/files.ts';
import { checkRange } from '../engine/files.ts';
import { fileErrorFrom, systemErrorCode } from './file-errors.ts';

/** One system call reads at most 2 GiB − 4 KiB on Linux, and less elsewhere. */
const MAXIMUM_READ_BYTES = 2 ** 30;

/**
 * Opens a file for reading in ranges. Reads are positional, so any number may be under way at once.
 * @throws FileError if it is not there, is a folder, a pipe or a device, or may not be read.
 */
export async function openFile(path: string): Promise<ByteSource> {
  let handle: FileHandle | undefined;
  try {
    // Asked before it is opened: opening a pipe waits for its writer.
    checkRegular(await stat(path), path);
    handle = await open(path, 'r');
    const status = await handle.stat();
    checkRegular(status, path);
    return new OpenFile(path, status.size, handle);
  } catch (error) {
    await handle?.close();
    throw fileErrorFrom(error, path, 'open the file');
  }
}

/** @throws FileError naming what a path leads to, unless that is a regular file */
export function checkRegular(status: Stats, path: string): void {
  if (status.isFile()) return;
  const kind = status.isDirectory()
    ? 'a folder'
    : status.isFIFO()
      ? 'a pipe'
      : status.isSocket()
        ? 'a socket'
        : 'a device';
  throw FileError.at(path, `is not a file but ${kind}; give the path of a file`);
}

/**
 * Reads a whole file as text.
 * @param limit in bytes, of what is read of such a file
 * @returns undefined if there is no such file
 * @throws FileError as `openFile`, FormatError if it is larger
 */
export async function readTextFile(path: string, limit: number): Promise<string | undefined> {
  const source = await openFile(path).catch((error: unknown) => {
    const code = error instanceof FileError ? systemErrorCode(error.cause) : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!source) return undefined;
  try {
    checkBudget(source, limit);
    return new TextDecoder().decode(await source.read(0, source.size));
  } finally {
    await source.close();
  }
}

/** The files of a folder. It is looked at when the first of them is opened. */
export function folderFiles(path: string): ModelFiles {
  return {
    name: path,
    async open(fileName) {
      const filePath = join(path, fileName);
      const status = await stat(filePath).catch((error: unknown) => {
        if (systemErrorCode(error) === 'ENOENT' || systemErrorCode(error) === 'ENOTDIR') return undefined;
        throw fileErrorFrom(error, filePath, 'open the file');
      });
      if (status) return openFile(filePath);
      await checkFolder(path);
      return undefined;
    },
    async list() {
      await checkFolder(path);
      return readdir(path).catch((error: unknown) => {
        throw fileErrorFrom(error, path, 'read the folder');
      });
    },
  };
}

async function checkFolder(path: string): Promise<void> {
  const status = await stat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') {
      throw FileError.at(path, 'no such folder; give the folder of a model, or a hub id such as gpt2');
    }
    throw fileErrorFrom(error, path, 'open the folder');
  });
  if (!status.isDirectory()) {
    throw FileError.at(path, 'is a file; give the folder that holds config.json and the safetensors files');
  }
}

class OpenFile implements ByteSource {
  #closing: Promise<void> | undefined;

  constructor(
    readonly name: string,
    readonly size: number,
    private readonly handle: FileHandle,
  ) {}

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length); // before memory is taken
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array<ArrayBuffer>): Promise<void> {
    const { length } = target;
    checkRange(this, offset, length);
    if (this.#closing) throw FileError.at(this.name, 'was read after it was closed');
    let done = 0;
    while (done < length) {
      const wanted = Math.min(length - done, MAXIMUM_READ_BYTES);
      const { bytesRead } = await this.handle
        .read(target, done, wanted, offset + done)
        .catch((error: unknown) => {
          throw fileErrorFrom(error, this.name, 'read the file');
        });
      if (bytesRead === 0) throw FileError.at(this.name, 'became shorter while it was read; start again');
      done += bytesRead;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.handle.close();
    return this.#closing;
  }
}
