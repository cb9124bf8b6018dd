import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeviceError } from '../../../src/engine/errors.ts';
import { rowRanges, shortRuns } from '../../../src/engine/gpu/row-ranges.ts';
import type { RowRange } from '../../../src/engine/gpu/row-ranges.ts';

const followEachOther = (ranges: readonly RowRange[], rows: number): void => {
  let next = 0;
  const wrong = ranges.filter(([first, count]) => {
    const follows = first === next && count > 0;
    next += count;
    return !follows;
  });
  expect(wrong).toEqual([]);
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
        expect(ranges.filter(([, count]) => count * rowBytes > limit)).toEqual([]);
        expect(ranges.filter(([first]) => (first * rowBytes) % alignment !== 0)).toEqual([]);
      },
    ),
  );
});

test('short runs hold every row once, and are whole tiles but for the last', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 0, max: 1000 }), (rows, max) => {
      const runs = shortRuns([[0, rows]], max);
      followEachOther(runs, rows);
      expect(runs.filter(([first]) => first % 128 !== 0)).toEqual([]);
      expect(runs.filter(([, count]) => count > Math.max(128, max))).toEqual([]);
    }),
  );
});
