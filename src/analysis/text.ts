import { FormatError } from '../engine/errors.ts';
import type { Tokenizer } from '../engine/tokenizer.ts';
import type { TextReport } from './report.ts';
import { chooseWindow } from './window.ts';
import type { WindowOptions } from './window.ts';

/** A text as it was read, and what a report calls it: its file or URL. */
export interface SourceText {
  readonly source: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Tokenises a whole text, adding nothing to it, and takes its window.
 * @param context the most tokens that the model can take
 * @returns the window's ids [length], and what a report says of the text
 * @throws InputError if the text is empty or the window does not suit it, FormatError if it is no UTF-8
 */
export async function textWindow(
  tokenizer: Tokenizer,
  { source, bytes }: SourceText,
  context: number,
  options: WindowOptions,
): Promise<{ real: Int32Array<ArrayBuffer>; text: TextReport }> {
  const text = decodeText(bytes, source);
  const ids = tokenizer.encode(text);
  const { start, length } = chooseWindow(ids.length, context, options, source);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return {
    real: Int32Array.from(ids.slice(start, start + length)),
    text: { source, sha256, tokens: ids.length, start, length },
  };
}

/** @throws FormatError naming the file if the bytes are no UTF-8 */
export function decodeText(bytes: Uint8Array, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new FormatError(`${name}: is not UTF-8 text; convert it, for example with iconv -t UTF-8`);
  }
}
