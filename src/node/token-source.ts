import { defaultText } from '../analysis/bundled.ts';
import { decodeText } from '../analysis/decode-text.ts';
import type { TextReport } from '../analysis/report.ts';
import { textWindow } from '../analysis/text.ts';
import { readTokenIds } from '../analysis/token-ids.ts';
import type { GivenTokens } from '../analysis/token-ids.ts';
import type { ModelConfig } from '../engine/config.ts';
import { InputError } from '../engine/errors.ts';
import type { ModelFiles } from '../engine/files.ts';
import { bundledPath } from './bundled.ts';
import { loadStoppableTokenizer } from './stoppable-tokenizer.ts';
import type { Terminal } from './terminal.ts';
import { readIdsBytes, readTextBytes, readWholeFile } from './text-source.ts';
import type { TextBytes } from './text-source.ts';

/** The flags that choose what is run. */
export interface TokenFlags {
  readonly text?: string;
  readonly ids?: string;
  readonly tokens?: number;
  readonly start?: number;
  /** How many windows of the text. */
  readonly windows?: number;
}

/** The ids to run, and the window of the text that they are; `text` is null if ids were given. */
export interface TokenSource extends GivenTokens {
  readonly text: TextReport | null;
}

/** Listeners for a text that comes slowly, or that is not quite as it should be. */
export interface TokenListeners {
  /** Takes one line. */
  readonly onNotice?: (line: string) => void;
  /** Bytes of the text that have arrived from a server, and how many there will be. */
  readonly onBytes?: (done: number, total: number) => void;
  /** How much of the text is tokenised. */
  readonly onTokens?: (done: number, total: number) => void;
}

/** Shows these on a terminal. */
export function textListeners(terminal: Terminal): TokenListeners {
  return {
    onNotice: (line) => {
      terminal.notice(line);
    },
    onBytes: terminal.stage('text', 'bytes'),
    onTokens: terminal.stage('tokens'),
  };
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
  { onNotice = () => undefined, onBytes, onTokens }: TokenListeners = {},
): Promise<TokenSource> {
  if (flags.ids !== undefined) {
    for (const name of ['text', 'tokens', 'start', 'windows'] as const) {
      if (flags[name] !== undefined) {
        throw new InputError(
          `--${name} chooses from a text, --ids gives the tokens themselves; leave one out`,
        );
      }
    }
    const { bytes, source } = await readIdsBytes(flags.ids, signal);
    return { ...readTokenIds(decodeText(bytes, { source }), config, source, onNotice), text: null };
  }
  const text: TextBytes =
    flags.text === undefined
      ? { source: defaultText, bytes: await readWholeFile(bundledPath(defaultText), signal) }
      : await readTextBytes(flags.text, { signal, onNotice, onBytes });
  const tokenizer = await loadStoppableTokenizer(files, onNotice);
  const { tokens, start, windows } = flags;
  return textWindow(tokenizer, text, config.context, {
    tokens,
    start,
    windows,
    signal,
    onProgress: onTokens,
    onNotice,
  });
}
