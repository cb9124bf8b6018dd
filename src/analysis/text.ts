import type { Tokenizer } from '../engine/tokenizer.ts';
import { decodeText, textNotice } from './decode-text.ts';
import type { TextOrigin } from './decode-text.ts';
import type { TextReport } from './report.ts';
import { chooseWindow } from './window.ts';
import type { WindowOptions } from './window.ts';

/** A text as it was read, and what a report calls it: its file or URL. */
export interface SourceText extends TextOrigin {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Takes one line on what the user should know of it. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/**
 * Tokenises a whole text, adding nothing to it, and takes its window.
 * @param context the most tokens that the model can take
 * @returns the window's ids [length], and what a report says of the text
 * @throws InputError if the text is empty or the window does not suit it, FormatError if it cannot be decoded
 */
export async function textWindow(
  tokenizer: Tokenizer,
  origin: SourceText,
  context: number,
  options: WindowOptions,
): Promise<{ real: Int32Array<ArrayBuffer>; text: TextReport }> {
  const { source, bytes } = origin;
  const text = decodeText(bytes, origin);
  const notice = textNotice(text, origin);
  if (notice !== undefined) origin.onNotice?.(notice);
  const ids = tokenizer.encode(text);
  const { start, length } = chooseWindow(ids.length, context, options, source);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return {
    real: Int32Array.from(ids.slice(start, start + length)),
    text: { source, sha256, tokens: ids.length, start, length },
  };
}
