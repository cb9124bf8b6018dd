import { describe, expect, test } from 'vitest';
import { readMeasures } from '../../../src/analysis/measures/read-measures.ts';
import { allMeasures, cellsOf, measureTable } from '../../../src/analysis/measures/table.ts';
import { readDimensions, readViews } from '../../../src/analysis/views.ts';
import { InputError } from '../../../src/engine/errors.ts';

test('every measure says its formula and its source', () => {
  for (const name of allMeasures) {
    expect(measureTable[name].formula, name).not.toBe('');
    expect(measureTable[name].source, name).not.toBe('');
  }
});

test('no two columns of a CSV file have one name', () => {
  const keys = cellsOf(allMeasures, [50, 95], {}).map(({ key }) => key);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toContain('effective_dimension_95');
});

test('cells are filled from an answer; what it lacks is null', () => {
  const answer = { effective_dimension: [2, 7], mean_cosine: { uncentred: 0.5, centred: null }, rank: 9 };
  const names = ['effective_dimension', 'rank', 'rankme', 'mean_cosine'] as const;
  const values = cellsOf(names, [50, 95], answer).map(({ key, value }) => [key, value]);
  expect(values).toEqual([
    ['effective_dimension_50', 2],
    ['effective_dimension_95', 7],
    ['rank', 9],
    ['rankme', null],
    ['mean_cosine', 0.5],
    ['mean_cosine_centred', null],
  ]);
});

describe('--measures', () => {
  test('takes all, names in any order, and what measures hold', () => {
    expect(readMeasures('all')).toEqual(allMeasures);
    expect(readMeasures('twonn, rankme,mle')).toEqual(['rankme', 'neighbours']);
  });

  test.each([
    ['rankMe', /"rankMe" is not known; did you mean rankme\?/],
    ['stable-rank', /did you mean .*stable_rank/],
    ['partcipation_ratio', /did you mean participation_ratio\?/],
    ['twoNN', /did you mean twonn\?/],
    ['xyzzy', /"xyzzy" is not known; known are all, singular_values/],
    ['rank,', /"" is not known/],
  ])('%s', (text, message) => {
    expect(() => readMeasures(text)).toThrow(InputError);
    expect(() => readMeasures(text)).toThrow(message);
  });
});

test('--views takes names in any order, and says which it knows', () => {
  expect(readViews('unit-rows,all')).toEqual(['all', 'unit_rows']);
  expect(() => readViews('without_first')).toThrow(InputError);
  expect(() => readViews('without_first')).toThrow(/did you mean .*without-first/);
});

test('--without-dimensions takes whole numbers in their order, each once', () => {
  expect(readDimensions('13,70, 40,13')).toEqual([13, 70, 40]);
  for (const text of ['', '1,', '-1', '1.5', 'x']) expect(() => readDimensions(text)).toThrow(InputError);
});
