import { expect, it } from 'vitest';
import { counted, few, fixed, formatPercent } from '../../src/analysis/quantities.ts';

it('formats percents with one decimal, and never rounds up to all', () => {
  expect([0, 36.71875, 99.94, 99.95, 99.99999, 100, 100.787].map(formatPercent)).toEqual([
    '0.0',
    '36.7',
    '99.9',
    '> 99.9',
    '> 99.9',
    '100.0',
    '100.8',
  ]);
  expect(formatPercent(null)).toBe('–');
});

it('counts in words', () => {
  expect([0, 1, 2, 2048].map((count) => counted(count, 'token'))).toEqual([
    '0 tokens',
    '1 token',
    '2 tokens',
    '2,048 tokens',
  ]);
});

it('formats numbers with a true minus sign', () => {
  expect(fixed(-1.4, 2)).toBe('−1.40');
  expect(fixed(42, 1)).toBe('42.0');
  expect(fixed(null, 1)).toBe('–');
  expect(few(-0.00012345, 3)).toBe('−0.000123');
  expect(few(null)).toBe('–');
});
