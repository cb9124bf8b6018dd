import { option, wording } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';

const multiplier = 6364136223846793005n;
const word = (1n << 64n) - 1n;
/** The stream of PCG that is used; 54 is the stream of the generator's own demonstration. */
const stream = 54n;

/**
 * PCG32 (XSH-RR 64/32) of Melissa O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation" (2014): a 64-bit linear congruential generator whose state is permuted
 * into 32 bits. Whole numbers only, so every platform draws the same.
 */
export class Pcg32 {
  #state = 0n;
  readonly #increment = ((stream << 1n) | 1n) & word;

  /**
   * @param seed a whole number from 0 to 2⁵³ − 1
   * @throws InputError if it is anything else
   */
  constructor(seed: number) {
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new InputError(
        wording`${option('seed')} ${seed} is not a seed; give a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`,
        { code: 'option-out-of-range', subject: { kind: 'option', name: 'seed' } },
      );
    this.#step();
    this.#state = (this.#state + BigInt(seed)) & word;
    this.#step();
  }

  /** The next whole number from 0 to 2³² − 1. */
  next(): number {
    const before = this.#state;
    this.#step();
    const mixed = Number((((before >> 18n) ^ before) >> 27n) & 0xffffffffn);
    const rotation = Number(before >> 59n);
    return ((mixed >>> rotation) | (mixed << (-rotation & 31))) >>> 0;
  }

  /** A whole number from 0 to bound − 1, each equally likely: draws that would make low numbers more likely are dropped. */
  below(bound: number): number {
    const unfair = 2 ** 32 % bound;
    let drawn = this.next();
    while (drawn < unfair) drawn = this.next();
    return drawn % bound;
  }

  #step(): void {
    this.#state = (this.#state * multiplier + this.#increment) & word;
  }
}

/**
 * The same token ids in an order that the seed alone decides: the shuffle of Fisher and Yates, from the last place
 * down (Durstenfeld 1964), driven by PCG32.
 * @param ids [T], left as they are
 * @returns [T], a permutation of ids
 * @throws InputError if the seed is not a whole number from 0 to 2⁵³ − 1
 */
export function shuffleTokens(ids: ArrayLike<number>, seed: number): Int32Array<ArrayBuffer> {
  const random = new Pcg32(seed);
  const shuffled = Int32Array.from(ids);
  for (let place = shuffled.length - 1; place > 0; place -= 1) {
    const other = random.below(place + 1);
    [shuffled[place], shuffled[other]] = [shuffled[other]!, shuffled[place]!];
  }
  return shuffled;
}

/**
 * The same token ids, cut into blocks of `block` tokens whose order the seed alone decides; the order within a block is kept,
 * and the last block may be shorter (the graded shuffle of arXiv 2501.10573, with blocks of any size). Blocks of one token
 * give what `shuffleTokens` gives; one block changes nothing.
 * @param ids [T], left as they are
 * @param block tokens of a block, 1 or more
 * @returns [T], a permutation of ids
 * @throws InputError if the seed is not a whole number from 0 to 2⁵³ − 1
 */
export function shuffleBlocks(ids: ArrayLike<number>, block: number, seed: number): Int32Array<ArrayBuffer> {
  const all = Int32Array.from(ids);
  const starts = Array.from({ length: Math.ceil(all.length / block) }, (_, index) => index * block);
  const shuffled = new Int32Array(all.length);
  let place = 0;
  for (const start of shuffleTokens(starts, seed)) {
    const piece = all.subarray(start, start + block);
    shuffled.set(piece, place);
    place += piece.length;
  }
  return shuffled;
}
