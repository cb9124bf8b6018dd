import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Pcg32, shuffleBlocks, shuffleTokens } from '../../src/analysis/shuffle.ts';
import { InputError } from '../../src/engine/errors.ts';

describe('Pcg32', () => {
  it("draws the numbers of the generator's own demonstration for seed 42", () => {
    const random = new Pcg32(42);
    const drawn = Array.from({ length: 6 }, () => random.next().toString(16));
    expect(drawn).toEqual(['a15c02b7', '7b47f409', 'ba1d3330', '83d2f293', 'bfa4784b', 'cbed606e']);
  });

  it('draws below a bound, each number about as often', () => {
    const random = new Pcg32(1);
    const counts = new Array<number>(7).fill(0);
    for (let draw = 0; draw < 70_000; draw += 1) counts[random.below(7)]! += 1;
    // Ten standard deviations of a fair count.
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(930);
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses the seed %d', (seed) => {
    expect(() => new Pcg32(seed)).toThrow(InputError);
  });
});

describe('shuffleTokens', () => {
  const ids = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 200 });
  const seed = fc.maxSafeNat();

  it('is a permutation that leaves its argument alone and depends on the seed only', () => {
    fc.assert(
      fc.property(ids, seed, (given, drawn) => {
        const before = [...given];
        const shuffled = shuffleTokens(given, drawn);
        expect(given).toEqual(before);
        expect([...shuffled].sort((a, b) => a - b)).toEqual([...given].sort((a, b) => a - b));
        expect(shuffleTokens(Int32Array.from(given), drawn)).toEqual(shuffled);
      }),
    );
  });

  it('gives the order that the algorithm written in Python gives for seed 28', () => {
    const counting = Array.from({ length: 16 }, (_, index) => index);
    expect([...shuffleTokens(counting, 28)]).toEqual([13, 1, 3, 0, 7, 11, 15, 10, 5, 8, 14, 2, 4, 6, 12, 9]);
  });

  it('reaches every order of three, each about as often', () => {
    const orders = new Map<string, number>();
    for (let drawn = 0; drawn < 6000; drawn += 1) {
      const order = shuffleTokens([0, 1, 2], drawn).join('');
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    for (const count of orders.values()) expect(Math.abs(count - 1000)).toBeLessThan(290);
  });
});

describe('shuffleBlocks', () => {
  it('permutes blocks and keeps the order within each, the last and shorter one among them', () => {
    const cases = fc.tuple(
      fc.integer({ min: 1, max: 90 }),
      fc.integer({ min: 1, max: 100 }),
      fc.maxSafeNat(),
    );
    fc.assert(
      fc.property(cases, ([tokens, block, seed]) => {
        const ids = Array.from({ length: tokens }, (_, index) => 1000 + index);
        const shuffled = [...shuffleBlocks(ids, block, seed)];
        expect([...shuffled].sort((a, b) => a - b)).toEqual(ids);
        // A block ends where its next token does not follow, and each begins at a multiple of the size.
        const starts: number[] = [];
        for (let place = 0; place < tokens;) {
          const start = shuffled[place]! - 1000;
          const length = Math.min(block, tokens - start);
          expect(start % block).toBe(0);
          expect(shuffled.slice(place, place + length)).toEqual(ids.slice(start, start + length));
          starts.push(start / block);
          place += length;
        }
        const counting = Array.from({ length: Math.ceil(tokens / block) }, (_, index) => index);
        expect(starts).toEqual([...shuffleTokens(counting, seed)]);
      }),
    );
  });

  it('is the shuffle of tokens for blocks of one, and changes nothing for one block', () => {
    const ids = [5, 7, 5, 9, 11, 2, 2];
    expect(shuffleBlocks(ids, 1, 28)).toEqual(shuffleTokens(ids, 28));
    for (const block of [7, 8, 1000]) expect([...shuffleBlocks(ids, block, 28)]).toEqual(ids);
  });
});
