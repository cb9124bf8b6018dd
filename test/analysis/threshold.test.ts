import { describe, expect, it } from 'vitest';
import { checkThreshold, readThreshold } from '../../src/analysis/threshold.ts';
import { InputError } from '../../src/engine/errors.ts';

describe('readThreshold', () => {
  it('reads a percent from 0 to 100, with or without its sign', () => {
    const read = ['95', ' 99.9 ', '1e2', '0', '0.0', '100', '100%', '95 %', '1.5', '.5%', '0.5%', '1%', '5.'];
    expect(read.map(readThreshold)).toEqual([95, 99.9, 100, 0, 0, 100, 100, 95, 1.5, 0.5, 0.5, 1, 5]);
  });

  it.each([
    ['0.95', 95],
    ['.9', 90],
    ['0.999', 99.9],
    ['1', 100],
    ['1.0', 100],
    ['0.5', 50],
    ['0.07', 7],
    ['1e-3', 0.1],
  ])('asks of %s whether %d was meant', (text, percent) => {
    const read = () => readThreshold(text);
    expect(read).toThrow(InputError);
    expect(read).toThrow(
      `threshold ${text} is at most 1, but a threshold is a percent: was ${percent} meant?`,
    );
    expect(read).toThrow(`${text}% for ${text}%`);
  });

  it.each(['', ' ', '-1', '-0.5', '100.5', '101%', 'NaN', 'abc', 'Infinity', '99,5', '0x10', '5%%', '1e999'])(
    'refuses %j',
    (text) => {
      expect(() => readThreshold(text)).toThrow(InputError);
      expect(() => readThreshold(text)).toThrow(
        /^threshold .* is not a percent; give a number from 0 to 100/,
      );
    },
  );
});

it('checkThreshold takes every percent, for a number in code is not misread', () => {
  for (const threshold of [0, 0.5, 1, 95, 100]) expect(() => checkThreshold(threshold)).not.toThrow();
  for (const threshold of [NaN, -1, -0.01, 100.01, Infinity, -Infinity])
    expect(() => checkThreshold(threshold)).toThrow(`threshold ${threshold} is not a percent`);
});
