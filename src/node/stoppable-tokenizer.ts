import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { FormatError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import { createTokenizer } from '../engine/tokenizer/pipeline.ts';
import type { EncodeOptions, Tokenizer } from '../engine/tokenizer.ts';
import { readDescription } from '../engine/tokenizer/files.ts';
import { mayBacktrack } from '../engine/tokenizer/patterns.ts';
import type { ThreadMessage, ThreadTask } from './tokenizer-thread.ts';

/** Milliseconds without progress after which a user is told why. */
const PATIENCE = 10_000;

/**
 * Loads a tokenizer whose `encodeLong` hears its signal at every moment. A tokenizer with a pattern of its own that may
 * backtrack without end tokenises in a thread, because nothing else can stop a match that has begun.
 * @throws FileError, FormatError as `loadTokenizer`
 */
export async function loadStoppableTokenizer(
  files: ModelFiles,
  onNotice: (line: string) => void,
): Promise<Tokenizer> {
  const description = await readDescription(files);
  const tokenizer = await createTokenizer(description);
  const program = mayBacktrack(description.tokenizer) ? threadProgram() : undefined;
  if (!program) return tokenizer;
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (ids) => tokenizer.decode(ids),
    tokenText: (id) => tokenizer.tokenText(id),
    encodeLong: (text, options) => encodeApart(program, { description, text }, options ?? {}, onNotice),
  };
}

/** The built program of the thread, beside this one or beside the command; undefined if this runs from src/. */
function threadProgram(): URL | undefined {
  return ['./tokenizer-thread.js', './node/tokenizer-thread.js']
    .map((path) => new URL(path, import.meta.url))
    .find((url) => existsSync(fileURLToPath(url)));
}

function encodeApart(
  program: URL,
  task: ThreadTask,
  { signal, onProgress }: EncodeOptions,
  onNotice: (line: string) => void,
): Promise<Int32Array<ArrayBuffer>> {
  signal?.throwIfAborted();
  const thread = new Worker(program, { workerData: task, execArgv: [] });
  const patience = setTimeout(() => {
    onNotice(`${task.description.where}: its pattern takes long on one piece of the text; it may never end`);
  }, PATIENCE);
  return new Promise<Int32Array<ArrayBuffer>>((resolve, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    thread.on('error', reject);
    thread.on('exit', () => {
      reject(new Error('the thread that tokenises ended early'));
    });
    thread.on('message', (message: ThreadMessage) => {
      patience.refresh();
      if ('ids' in message) resolve(message.ids);
      else if ('problem' in message) reject(new FormatError(message.problem));
      else onProgress?.(message.done, message.total);
    });
  }).finally(() => {
    clearTimeout(patience);
    void thread.terminate();
  });
}
