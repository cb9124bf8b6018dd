import { expect, it } from 'vitest';
import { byteCount, nonEmpty, wholeNumber } from '../../src/node/options.ts';

it('reads whole numbers, and names what is none', () => {
  const parse = wholeNumber('--seed', 1);
  expect(['1', '007', ' 28 ', '9007199254740991'].map(parse)).toEqual([1, 7, 28, 2 ** 53 - 1]);
  for (const text of ['', '0', '-1', '1.5', '1e3', '0x10', 'one', 'Infinity']) {
    expect(() => parse(text)).toThrow(`--seed ${JSON.stringify(text)} is not a whole number of at least 1`);
  }
  expect(() => parse('9007199254740992')).toThrow(/--seed 9007199254740992 is too large/);
});

it('reads byte counts with decimal and binary units', () => {
  const parse = byteCount('--gpu-memory');
  expect(['1500000000', '1.5GB', '1.5 gib', '64K', '2MiB'].map(parse)).toEqual([
    1.5e9,
    1.5e9,
    1.5 * 2 ** 30,
    64e3,
    2 ** 21,
  ]);
  for (const text of ['', '0', '-1', '0.5', 'GB', '1.5XB', '1e9', 'NaN']) {
    expect(() => parse(text)).toThrow(`--gpu-memory ${JSON.stringify(text)} is not a number of bytes`);
  }
});

it('takes a name as it is, but no empty one', () => {
  expect(nonEmpty('--out')(' a b ')).toBe(' a b ');
  expect(() => nonEmpty('--out')('')).toThrow('--out is empty');
});
