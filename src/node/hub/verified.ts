import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ModelCache } from './cache.ts';
import { isLikeItsName, namedAlgorithm, SMALL_BYTES } from './content-hash.ts';

/** Files from this size on take seconds: the user is told. */
const LARGE_BYTES = 1e9;

export interface VerifyOptions {
  /** Reads files again that were found to be right before. */
  readonly verify?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onNotice: (line: string) => void;
}

/**
 * Whether a file of the cache holds what the name of its blob, its hash, says. Each blob is read once, when it is first
 * used, and a note beside the locks says that it was right; where no note can be written, it is read with `verify` alone.
 */
export async function isIntact(
  cache: ModelCache,
  path: string,
  { verify = false, signal, onNotice }: VerifyOptions,
): Promise<boolean> {
  const blob = await realpath(path);
  const { size } = await stat(blob);
  if (size <= SMALL_BYTES) return true; // hashed at each use
  if (namedAlgorithm(blob) === undefined) return true; // a plain mirror's, or a copy where links are refused
  if (!verify && (await isNoted(cache, blob))) return true;
  if (!verify && !(await writeNote(cache, blob, ''))) return true;
  if (size >= LARGE_BYTES)
    onNotice(`comparing the cached ${basename(path)} (${(size / 1e9).toFixed(1)} GB) with its hash`);
  if (!(await isLikeItsName(blob, signal))) return false;
  await noteVerified(cache, blob);
  return true;
}

/** Notes that a blob was found to be right: it was just received, or read. */
export async function noteVerified(cache: ModelCache, blob: string): Promise<void> {
  if ((await stat(blob)).size > SMALL_BYTES) await writeNote(cache, blob, await stateOf(blob));
}

async function isNoted(cache: ModelCache, blob: string): Promise<boolean> {
  const note = await readFile(notePath(cache, blob), 'utf8').catch(() => undefined);
  return note === (await stateOf(blob));
}

/** @returns whether it could be written */
async function writeNote(cache: ModelCache, blob: string, text: string): Promise<boolean> {
  try {
    await cache.makeFolder(cache.lockFolder);
    await writeFile(notePath(cache, blob), text);
    return true;
  } catch {
    return false;
  }
}

function notePath(cache: ModelCache, blob: string): string {
  return join(cache.lockFolder, `${basename(blob)}.laminar.verified`);
}

/** What changes when a file is replaced or written to. */
async function stateOf(blob: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(blob);
  return `${size} ${mtimeMs} ${ino}`;
}
