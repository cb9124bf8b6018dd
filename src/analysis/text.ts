import type { EncodeOptions, Tokenizer } from '../engine/tokenizer.ts';
import { decodeText, textNotice } from './decode-text.ts';
import type { TextOrigin } from './decode-text.ts';
import type { TextReport } from './report.ts';
import type { GivenTokens } from './token-ids.ts';
import { chooseWindow, spreadWindows } from './window.ts';
import type { WindowOptions } from './window.ts';

/** A text as it was read, and what a report calls it: its file or URL. */
export interface SourceText extends TextOrigin {
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Which tokens of a text to take, and who is told of notices. */
export interface TextWindowOptions extends WindowOptions, EncodeOptions {
  /** Takes one line on what the user should know of the text or its window. */
  readonly onNotice?: ((message: string) => void) | undefined;
}

/**
 * Tokenises a whole text, adding nothing to it, and takes its window.
 * @param context the maximum number of tokens that the model can take
 * @returns the window's ids [length], those of the other windows where several are asked for, and what a report says of the
 * text
 * @throws InputError if the text is empty or the window does not suit it, FormatError if it cannot be decoded, and the
 * signal's reason if it aborts
 */
export async function textWindow(
  tokenizer: Tokenizer,
  origin: SourceText,
  context: number,
  options: TextWindowOptions,
): Promise<GivenTokens & { readonly text: TextReport }> {
  const { source, bytes } = origin;
  const text = decodeText(bytes, origin);
  const notice = textNotice(text, origin);
  if (notice !== undefined) options.onNotice?.(notice);
  const ids = await tokenizer.encodeLong(text, options);
  const { start, length } = chooseWindow(ids.length, context, options, source);
  if (options.tokens === undefined && length < context)
    options.onNotice?.(
      `${source} has ${ids.length} tokens, fewer than the model's context of ${context}; all of it is taken`,
    );
  const { windows = 1 } = options;
  const { starts, overlap } = spreadWindows(ids.length, { start, length }, windows, source);
  if (overlap)
    options.onNotice?.(
      `${source} has ${ids.length} tokens, too few for ${windows} separate windows of ${length}; some of them overlap`,
    );
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const real = ids.slice(start, start + length);
  const preview = previewOf(tokenizer.decode(real));
  return {
    real,
    text: { source, sha256, tokens: ids.length, start, length, preview },
    ...(windows > 1 && {
      windows: starts.slice(1).map((first) => ({ start: first, ids: ids.slice(first, first + length) })),
    }),
  };
}

/** Characters of each end of a window that a report shows. */
const PREVIEW = 80;

/** Both ends of a text; a short text stands for both. */
function previewOf(text: string): TextReport['preview'] {
  // Two UTF-16 units may be one character.
  const first = Array.from(text.slice(0, 2 * PREVIEW)).slice(0, PREVIEW);
  const last = Array.from(text.slice(-2 * PREVIEW - 1)).slice(-PREVIEW);
  return { first: first.join(''), last: last.join('') };
}
