import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeviceError } from '../../../src/engine/errors.ts';
import { rowRanges, shortRuns } from '../../../src/engine/gpu/row-ranges.ts';
import type { RowRange } from '../../../src/engine/gpu/row-ranges.ts';

const followEachOther = (ranges: readonly RowRange[], rows: number): void => {
  let next = 0;
  for (const [first, count] of ranges) {
    expect(first).toBe(next);
    expect(count).toBeGreaterThan(0);
    next += count;
  }
  expect(next).toBe(rows);
};

test('runs hold every row once, fit the limit and begin where they may', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 1, max: 600 }),
      fc.integer({ min: 64, max: 300_000 }),
      fc.constantFrom(4, 256),
      (rows, words, limit, alignment) => {
        const rowBytes = 4 * words;
        let ranges: RowRange[];
        try {
          ranges = rowRanges(rows, rowBytes, limit, 'x', alignment);
        } catch (error) {
          expect(error).toBeInstanceOf(DeviceError);
          // Some run of fewer rows than the limit holds must begin where none may.
          expect(rowBytes * alignment).toBeGreaterThan(limit);
          return;
        }
        followEachOther(ranges, rows);
        for (const [first, count] of ranges) {
          expect(count * rowBytes).toBeLessThanOrEqual(limit);
          expect((first * rowBytes) % alignment).toBe(0);
        }
      },
    ),
  );
});

test('short runs hold every row once, and are whole tiles but for the last', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 0, max: 1000 }), (rows, max) => {
      const runs = shortRuns([[0, rows]], max);
      followEachOther(runs, rows);
      for (const [first, count] of runs) {
        expect(first % 128).toBe(0);
        expect(count).toBeLessThanOrEqual(Math.max(128, max));
      }
    }),
  );
});
