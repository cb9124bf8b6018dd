import { readFile } from 'node:fs/promises';
import { defaultText } from '../analysis/bundled.ts';
import type { TextReport } from '../analysis/report.ts';
import { decodeText, textWindow } from '../analysis/text.ts';
import { parseTokenIds } from '../analysis/window.ts';
import type { GivenTokens } from '../analysis/window.ts';
import type { ModelConfig } from '../engine/config.ts';
import { FileError, InputError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import { parseJson } from '../engine/files.ts';
import { loadTokenizer } from '../engine/tokenizer.ts';
import { bundledPath } from './bundled.ts';
import { fileErrorFrom } from './file-errors.ts';

/** The flags that choose what is run. */
export interface TokenFlags {
  readonly text?: string;
  readonly ids?: string;
  readonly tokens?: number;
  readonly start?: number;
}

/** The ids to run, and the window of the text that they are; `text` is null where ids were given. */
export interface TokenSource extends GivenTokens {
  readonly text: TextReport | null;
}

/**
 * Reads the ids that --ids names, or tokenises --text (by default the bundled one) and takes its window.
 * @throws InputError if flags contradict each other, or the ids or the window do not suit the model
 * @throws FileError or FormatError if the text, the ids or the tokenizer cannot be read
 */
export async function readTokens(
  flags: TokenFlags,
  files: ModelFiles,
  config: ModelConfig,
  signal: AbortSignal,
): Promise<TokenSource> {
  if (flags.ids !== undefined) {
    for (const name of ['text', 'tokens', 'start'] as const) {
      if (flags[name] !== undefined) {
        throw new InputError(
          `--${name} chooses from a text, --ids gives the tokens themselves; leave one out`,
        );
      }
    }
    return { ...parseTokenIds(await readIds(flags.ids), config, flags.ids), text: null };
  }
  const source = flags.text ?? defaultText;
  const bytes = await readTextBytes(flags.text, signal);
  const tokenizer = await loadTokenizer(files);
  return textWindow(tokenizer, { source, bytes }, config.context, flags);
}

async function readIds(path: string): Promise<unknown> {
  const text = decodeText(await readWhole(path), path).replace(/^\uFEFF/, ''); // some editors' byte order mark
  return parseJson(text, path, 'give an array of token ids');
}

async function readTextBytes(
  source: string | undefined,
  signal: AbortSignal,
): Promise<Uint8Array<ArrayBuffer>> {
  if (source === undefined) return readWhole(bundledPath(defaultText));
  return /^https?:\/\//i.test(source) ? fetchWhole(source, signal) : readWhole(source);
}

async function readWhole(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fileErrorFrom(error, path, 'read the file');
  });
  return new Uint8Array(bytes);
}

async function fetchWhole(url: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const failure = (reason: string, cause?: unknown) =>
    new FileError(`--text ${url}: ${reason}; check the address, or download the text and give its path`, {
      cause,
    });
  try {
    const response = await fetch(url, { signal });
    if (!response.ok)
      throw failure(`the server answered ${response.status} ${response.statusText}`.trimEnd());
    return new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    if (error instanceof FileError || signal.aborted) throw error;
    // fetch says only "fetch failed"; what failed stands in its cause.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw failure(`cannot be fetched (${cause instanceof Error ? cause.message : String(cause)})`, error);
  }
}
