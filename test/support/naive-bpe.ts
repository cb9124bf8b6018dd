/**
 * Byte-level BPE as GPT-2's encoder.py tells it, as plainly as can be, to test against: a scanner for the words, and
 * for each word all pairs looked at again after every merge.
 */
export class NaiveBpe {
  readonly #ranks = new Map<string, number>();
  readonly #bytes: string[] = [];

  constructor(
    private readonly vocabulary: ReadonlyMap<string, number>,
    merges: readonly string[],
  ) {
    for (const [rank, merge] of merges.entries()) this.#ranks.set(merge, rank);
    let other = 256;
    for (let byte = 0; byte < 256; byte += 1) {
      const isShown = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
      this.#bytes.push(String.fromCodePoint(isShown ? byte : other++));
    }
  }

  encode(text: string): number[] {
    return gpt2Words(text).flatMap((word) => this.#merge(word).map((token) => this.vocabulary.get(token)!));
  }

  #merge(word: string): string[] {
    let symbols = Array.from(new TextEncoder().encode(word), (byte) => this.#bytes[byte]!);
    for (;;) {
      let best = Infinity;
      for (let place = 0; place + 1 < symbols.length; place += 1)
        best = Math.min(best, this.#ranks.get(`${symbols[place]!} ${symbols[place + 1]!}`) ?? Infinity);
      if (best === Infinity) return symbols;
      const merged: string[] = [];
      for (let place = 0; place < symbols.length; place += 1) {
        const pair = `${symbols[place]!} ${symbols[place + 1] ?? ''}`;
        if (place + 1 < symbols.length && this.#ranks.get(pair) === best) {
          merged.push(symbols[place]! + symbols[place + 1]!);
          place += 1;
        } else merged.push(symbols[place]!);
      }
      symbols = merged;
    }
  }
}

type Kind = 'space' | 'letter' | 'number' | 'other';

/** Unicode's White_Space, one by one. */
const spaces = new Set(
  [9, 10, 11, 12, 13, 32, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000].concat(
    Array.from({ length: 11 }, (_, index) => 0x2000 + index),
  ),
);

function kindOf(character: string): Kind {
  if (spaces.has(character.codePointAt(0)!)) return 'space';
  return /\p{L}/u.test(character) ? 'letter' : /\p{N}/u.test(character) ? 'number' : 'other';
}

/** The words that GPT-2's pattern finds, alternative by alternative. */
export function gpt2Words(text: string): string[] {
  const characters = Array.from(text);
  const kinds = characters.map(kindOf);
  const words: string[] = [];
  for (let place = 0; place < characters.length;) {
    const contraction = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].find((ending) =>
      characters
        .slice(place, place + 3)
        .join('')
        .startsWith(ending),
    );
    let stop = place;
    if (contraction) stop += contraction.length;
    else {
      const begin = characters[place] === ' ' ? place + 1 : place;
      const kind = kinds[begin];
      if (kind !== undefined && kind !== 'space') {
        stop = begin;
        while (kinds[stop] === kind) stop += 1;
      } else {
        while (kinds[stop] === 'space') stop += 1;
        // A run before a word leaves its last space to the word, or to itself.
        if (stop < characters.length && stop - place > 1) stop -= 1;
      }
    }
    words.push(characters.slice(place, stop).join(''));
    place = stop;
  }
  return words;
}
