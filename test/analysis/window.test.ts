import { describe, expect, it } from 'vitest';
import { checkTokenIds, chooseWindow, parseTokenIds } from '../../src/analysis/window.ts';
import { InputError } from '../../src/engine/errors.ts';

describe('chooseWindow', () => {
  it('takes the middle of the text, as long as the context', () => {
    expect(chooseWindow(57_035, 256)).toEqual({ start: 28_517, length: 256 });
    expect(chooseWindow(57_035, 1024, { tokens: 10 })).toEqual({ start: 28_517, length: 10 });
    expect(chooseWindow(57_035, 1024, { start: 0 })).toEqual({ start: 0, length: 1024 });
    expect(chooseWindow(1, 4, { tokens: 1 })).toEqual({ start: 0, length: 1 });
    expect(chooseWindow(8, 4, { start: 4 })).toEqual({ start: 4, length: 4 });
  });

  it.each([
    ['an empty text', 0, 256, {}, /^the text holds no token/],
    ['an empty text and few tokens', 0, 256, { tokens: 1 }, /^the text holds no token/],
    [
      'a text shorter than the context',
      300,
      256,
      {},
      /too short.*--tokens 150 or fewer, or --start 44 or less/,
    ],
    ['a text shorter than asked', 8, 256, { start: 5, tokens: 9 }, /--tokens 3 or fewer, or a longer text/],
    ['a start beyond the text', 8, 256, { start: 9, tokens: 4 }, /0 of its 8 tokens.*--start 4 or less/],
    ['more tokens than the context', 5000, 256, { tokens: 257 }, /context of 256 tokens; give --tokens 256/],
    ['no tokens', 5000, 256, { tokens: 0 }, /--tokens 0/],
    ['half a token', 5000, 256, { tokens: 1.5 }, /--tokens 1.5/],
    ['a start before the text', 5000, 256, { start: -1 }, /--start -1/],
    ['no number', 5000, 256, { start: Number.NaN }, /--start NaN/],
  ])('refuses %s', (_, available, context, options, message) => {
    expect(() => chooseWindow(available, context, options)).toThrow(InputError);
    expect(() => chooseWindow(available, context, options)).toThrow(message);
  });

  it('calls the text what the caller calls it', () => {
    expect(() => chooseWindow(0, 4, {}, 'a.txt')).toThrow(/^a\.txt holds no token/);
    expect(() => chooseWindow(5, 4, {}, 'a.txt')).toThrow(/^a\.txt is too short/);
  });
});

const limits = { vocabulary: 50, context: 4 };

describe('checkTokenIds', () => {
  it('takes ids up to the limits', () => {
    expect(checkTokenIds([0, 49, 3, 3], limits, 'ids.json')).toEqual(Int32Array.of(0, 49, 3, 3));
    expect(checkTokenIds(Int32Array.of(7), limits, 'ids.json')).toEqual(Int32Array.of(7));
  });

  it.each([
    [[], /ids.json: there are no token ids/],
    [[1, 2, 3, 4, 5], /5 token ids are more than the model's context of 4/],
    [[1, 50], /token id 1 is 50, out of the vocabulary; give ids from 0 to 49/],
    [[-1], /token id 0 is -1, out of the vocabulary/],
    [[1.5], /token id 0 is 1.5; give whole numbers/],
    [['1'], /token id 0 is "1"; give whole numbers/],
    [[null], /token id 0 is null/],
    [[Number.NaN], /token id 0 is NaN; give whole numbers/],
    [[Infinity], /token id 0 is Infinity/],
    [{ 0: 1 }, /must be an array/],
  ])('refuses %j', (ids, message) => {
    expect(() => checkTokenIds(ids, limits, 'ids.json')).toThrow(InputError);
    expect(() => checkTokenIds(ids, limits, 'ids.json')).toThrow(message);
  });
});

describe('parseTokenIds', () => {
  it('reads an array, or a pair', () => {
    expect(parseTokenIds([1, 2], limits, 'ids.json')).toEqual({ real: Int32Array.of(1, 2) });
    expect(parseTokenIds({ real: [1, 2], shuffled: [2, 1] }, limits, 'ids.json')).toEqual({
      real: Int32Array.of(1, 2),
      shuffled: Int32Array.of(2, 1),
    });
  });

  it.each([
    [{ real: [1] }, /give an array of token ids, or/],
    [null, /give an array of token ids, or/],
    ['12', /give an array of token ids, or/],
    [{ real: [1, 2], shuffled: [1] }, /equal lengths/],
    [{ real: [1], shuffled: [77] }, /ids.json, "shuffled": token id 0 is 77/],
  ])('refuses %j', (json, message) => {
    expect(() => parseTokenIds(json, limits, 'ids.json')).toThrow(InputError);
    expect(() => parseTokenIds(json, limits, 'ids.json')).toThrow(message);
  });
});
