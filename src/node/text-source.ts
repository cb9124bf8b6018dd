import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { FileError } from '../engine/errors.ts';
import { fileErrorFrom } from './file-errors.ts';
import { checkRegular } from './files.ts';
import { budgets } from '../engine/budgets.ts';
import { fetchText } from './network/remote-text.ts';
import type { RemoteTextOptions } from './network/remote-text.ts';

/** A text's bytes, where they came from, and the encoding that a server declared. */
export interface TextBytes {
  readonly source: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly charset?: string | undefined;
}

/** The names of standard input. */
const STANDARD_INPUT = new Set(['-', '/dev/stdin', '/dev/fd/0', '/proc/self/fd/0']);

/**
 * Reads the text that --text names: a file, an address, or standard input for `-`.
 * @throws FileError if it cannot be read or is too large; the signal's reason if it is aborted
 */
export async function readTextBytes(name: string, options: RemoteTextOptions): Promise<TextBytes> {
  if (/^https?:\/\//i.test(name)) return fetchText(name, options);
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(name)) {
    const scheme = name.slice(0, name.indexOf(':'));
    throw new FileError(
      `--text: ${scheme} addresses cannot be read; give a file, or an http or https address`,
    );
  }
  if (STANDARD_INPUT.has(name)) {
    return {
      source: 'standard input',
      bytes: await readToEnd(0, { name: 'standard input', limit: budgets.text, signal: options.signal }),
    };
  }
  return { source: name, bytes: await readWholeFile(name, options.signal) };
}

/**
 * Reads the token ids that --ids names: a file, or standard input for `-`.
 * @throws FileError if they cannot be read or are too many bytes; the signal's reason if it is aborted
 */
export async function readIdsBytes(name: string, signal?: AbortSignal): Promise<TextBytes> {
  const isInput = STANDARD_INPUT.has(name);
  const source = isInput ? 'standard input' : name;
  const bytes = isInput
    ? await readToEnd(0, { name: source, limit: budgets.ids, signal })
    : await readWholeFile(name, signal, budgets.ids);
  return { source, bytes };
}

/**
 * Reads a regular file.
 * @param limit bytes that it may have, 256 MiB if absent
 * @throws FileError if it is not there, something else, or larger; the signal's reason if it is aborted
 */
export async function readWholeFile(
  path: string,
  signal?: AbortSignal,
  limit: number = budgets.text,
): Promise<Uint8Array<ArrayBuffer>> {
  const status = await stat(path).catch((error: unknown) => {
    throw fileErrorFrom(error, path, 'read the file');
  });
  if (status.isFIFO()) {
    throw FileError.at(path, 'is not a file but a pipe; give a file, or pipe the text in and give --text -');
  }
  checkRegular(status, path);
  if (status.size > limit) throw tooLarge(path, limit);
  return readToEnd(path, { name: path, limit, signal });
}

async function readToEnd(
  file: string | 0,
  { name, limit, signal }: { name: string; limit: number; signal: AbortSignal | undefined },
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = typeof file === 'string' ? createReadStream(file) : process.stdin;
  const onAbort = () => stream.destroy(signal?.reason as Error);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', onAbort, { once: true });
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer<ArrayBuffer>);
      length += (chunk as Buffer).length;
      if (length > limit) throw tooLarge(name, limit);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw fileErrorFrom(error, name, 'read the file');
  } finally {
    signal?.removeEventListener('abort', onAbort);
    stream.destroy();
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function tooLarge(name: string, limit: number): FileError {
  return FileError.at(
    name,
    `is larger than ${limit / 2 ** 20} MiB, the maximum size of such a file; give a part of it`,
  );
}
