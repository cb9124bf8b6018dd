import type { Tokenizer } from '../engine/tokenizer.ts';

/** What a decoder gives for bytes that are not a whole character. */
const INCOMPLETE = '\uFFFD';
/** The maximum number of bytes of a character in UTF-8. */
const LONGEST = 4;

/**
 * The text of each token of a sequence, to be shown one after another. The text of a character that several tokens form
 * is with the last of them; the ones before it are empty.
 * @returns [T]
 */
export function tokenPieces(
  tokenizer: Pick<Tokenizer, 'decode' | 'tokenText'>,
  ids: ArrayLike<number>,
): string[] {
  const pieces: string[] = Array.from(ids, (id) => tokenizer.tokenText(id));
  for (let first = 0; first < pieces.length; first++) {
    if (!pieces[first]!.includes(INCOMPLETE)) continue;
    for (let last = first + 1; last < Math.min(pieces.length, first + LONGEST); last++) {
      const whole = tokenizer.decode(
        Array.from({ length: last + 1 - first }, (_, index) => ids[first + index]!),
      );
      if (whole.includes(INCOMPLETE)) continue;
      pieces.fill('', first, last);
      pieces[last] = whole;
      first = last;
      break;
    }
  }
  return pieces;
}
