import { expect, test } from 'vitest';
import { tokenPieces } from '../../src/analysis/token-pieces.ts';

/** A tokenizer whose ids are bytes. */
const bytes = {
  decode: (ids: ArrayLike<number>) => new TextDecoder().decode(Uint8Array.from(ids)),
  tokenText: (id: number) => new TextDecoder().decode(Uint8Array.of(id)),
};

test.each([
  ['a, whole', ['a', ',', ' ', 'w', 'h', 'o', 'l', 'e']],
  ['“ü”', ['', '', '“', '', 'ü', '', '', '”']],
  ['🐇!', ['', '', '', '🐇', '!']],
])('characters of several tokens stand at their last: %s', (text, pieces) => {
  expect(tokenPieces(bytes, new TextEncoder().encode(text))).toEqual(pieces);
});

test('what is never a whole character stays marked', () => {
  const [first, , third] = new TextEncoder().encode('“');
  expect(tokenPieces(bytes, [third!, 65, first!])).toEqual(['\uFFFD', 'A', '\uFFFD']);
});
