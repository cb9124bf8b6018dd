import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RemoteFile } from './repository.ts';

/** Files up to this size are hashed whenever they are used: it takes a few milliseconds. */
export const SMALL_BYTES = 16 * 2 ** 20;

/** SHA-256 of the content, or git's name for a blob: SHA-1 of "blob LENGTH\0" and the content. */
export function newHash(algorithm: RemoteFile['algorithm'], size: number): Hash {
  if (algorithm !== 'git-sha1') return createHash('sha256');
  return createHash('sha1').update(`blob ${size}\0`);
}

/** Whether a file is the one that the hub lists, by its length and, where that is known, its hash. */
export async function isAsListed(path: string, file: RemoteFile, signal?: AbortSignal): Promise<boolean> {
  const size = await stat(path).then(
    (status) => status.size,
    () => undefined,
  );
  if (size !== file.size) return false;
  return file.algorithm === undefined || (await digestOf(path, file.algorithm, size, signal)) === file.etag;
}

/** Whether a small file of the cache is not what the name of its blob, its hash, says. */
export async function isUnlikeItsName(path: string): Promise<boolean> {
  const blob = await realpath(path);
  const { size } = await stat(blob);
  return size <= SMALL_BYTES && !(await isLikeItsName(blob));
}

/** Which hash the name of a blob is; undefined if it is not one. */
export function namedAlgorithm(blob: string): RemoteFile['algorithm'] {
  const name = basename(blob);
  return /^[0-9a-f]{40}$/.test(name) ? 'git-sha1' : /^[0-9a-f]{64}$/.test(name) ? 'sha256' : undefined;
}

/** Whether a blob is what its name says, where that is a hash. */
export async function isLikeItsName(blob: string, signal?: AbortSignal): Promise<boolean> {
  const algorithm = namedAlgorithm(blob);
  if (algorithm === undefined) return true;
  const { size } = await stat(blob);
  return (await digestOf(blob, algorithm, size, signal)) === basename(blob);
}

async function digestOf(
  path: string,
  algorithm: RemoteFile['algorithm'],
  size: number,
  signal?: AbortSignal,
): Promise<string> {
  const hash = newHash(algorithm, size);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
    signal?.throwIfAborted();
    hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}
