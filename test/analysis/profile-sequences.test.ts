import { describe, expect, it } from 'vitest';
import {
  countSequences,
  profileSequencesOf,
  readBlocks,
  repetitions,
  sequenceGroups,
} from '../../src/analysis/profile-sequences.ts';
import { shuffleBlocks, shuffleTokens } from '../../src/analysis/shuffle.ts';
import { InputError } from '../../src/engine/errors.ts';

const real = Int32Array.from({ length: 8 }, (_, index) => 3 * index);
const sampling = { shuffles: 2, shuffleBlocks: [1, 4, 8], windows: 2 };
const windows = [{ start: 90, ids: real.map((id) => id + 1) }];

describe('profileSequencesOf', () => {
  it('names the sequences, with the seed, the block and the start of each', () => {
    const all = profileSequencesOf({ real, windows }, 28, 50, sampling);
    expect(all.map(({ ids: _, ...origin }) => Object.values(origin))).toEqual([
      ['real', 'real', null, null, 50],
      ['shuffled', 'shuffled', 28, 1, 50],
      ['shuffled_2', 'shuffled', 29, 1, 50],
      ['block_4_1', 'block', 28, 4, 50],
      ['block_4_2', 'block', 29, 4, 50],
      ['window_2', 'window', null, null, 90],
    ]);
    expect(all.map(({ ids }) => ids)).toEqual([
      real,
      shuffleTokens(real, 28),
      shuffleTokens(real, 29),
      shuffleBlocks(real, 4, 28),
      shuffleBlocks(real, 4, 29),
      windows[0]!.ids,
    ]);
    expect(countSequences(sampling, 8)).toBe(all.length);
    expect(sequenceGroups(all, sampling, 8).map(({ name, sequences }) => [name, sequences])).toEqual([
      ['shuffled', ['shuffled', 'shuffled_2']],
      ['block_1', ['shuffled', 'shuffled_2']],
      ['block_4', ['block_4_1', 'block_4_2']],
      ['block_8', ['real']],
      ['window', ['real', 'window_2']],
    ]);
  });

  it('uses a permutation that is given, and shuffles by the seeds after it', () => {
    const shuffled = real.toReversed();
    const [, first, second] = profileSequencesOf({ real, shuffled }, 28, null, {
      ...sampling,
      shuffleBlocks: [],
      windows: 1,
    });
    expect([first.ids, first.seed]).toEqual([shuffled, null]);
    expect([second!.ids, second!.seed]).toEqual([shuffleTokens(real, 29), 29]);
  });

  it('refuses windows of given ids, and seeds beyond the last', () => {
    const make = (seed: number, wanted: number) => () =>
      profileSequencesOf({ real }, seed, null, { ...sampling, windows: wanted });
    expect(make(28, 2)).toThrow(InputError);
    expect(make(28, 2)).toThrow(/^windows 2 takes other parts of a text/);
    expect(make(Number.MAX_SAFE_INTEGER, 1)).toThrow(/^shuffles 2 takes the seeds from 9007199254740991 on/);
  });
});

it('says where few tokens have few orders', () => {
  const few = { shuffles: 5, shuffleBlocks: [2], windows: 1 };
  const say = (ids: Int32Array<ArrayBuffer>, asked = few) => {
    const all = profileSequencesOf({ real: ids }, 28, null, asked);
    return repetitions(all, sequenceGroups(all, asked, ids.length));
  };
  expect(say(Int32Array.of(7, 7, 7))).toEqual([
    'shuffled: of 5 permutations 1 is different, and 5 leave the text as it is; its band says little',
    'block_2: of 5 permutations 1 is different, and 5 leave the text as it is; its band says little',
  ]);
  expect(say(Int32Array.from({ length: 40 }, (_, index) => index))).toEqual([]);
  const one = { shuffles: 1, shuffleBlocks: [2, 64], windows: 1 };
  expect(say(Int32Array.of(7, 7, 7), one)).toEqual([
    'shuffled: the permutation leaves the text as it is, so both have the same numbers',
    'block_2: the permutation leaves the text as it is, so both have the same numbers',
  ]);
  expect(say(Int32Array.of(7), one)).toEqual([]);
});

it('reads sizes of blocks, each once and ascending', () => {
  expect(readBlocks('64, 4,1,4')).toEqual([1, 4, 64]);
  for (const text of ['0', '4,', '1.5', 'x', '-2']) {
    expect(() => readBlocks(text)).toThrow(InputError);
    expect(() => readBlocks(text)).toThrow(/^shuffleBlocks .* is not a size of blocks/);
  }
});
