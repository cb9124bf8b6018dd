import { expect, test } from 'vitest';
import { findOutliers, medianOf, tokenNorms } from '../../../src/analysis/measures/diagnostics.ts';

test.each([[[3]], [[2, 1]], [[5, 1, 4, 1, 5, 9, 2, 6]], [[2, 2, 2, 2, 2]], [[1, -3, 0.5, 7, -2, 4, 4]]])(
  'the median of %j',
  (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length / 2;
    const expected = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2;
    expect(medianOf(Float64Array.from(values))).toBe(
      sorted.length % 2 ? sorted[Math.floor(middle)] : expected,
    );
  },
);

test('an activation is massive above 100 and from 1000 medians on', () => {
  const values = Float32Array.from([0.1, -0.1, 0.1, 150, 0.1, -99, 0.1, 0.1, 0.1, -101, 0.1, 0.1]);
  expect(findOutliers(values, 3)).toMatchObject({
    dimensions: [0],
    entries: 2,
    max_token: 1,
    max_dimension: 0,
  });
  expect(findOutliers(new Float32Array(6), 3)).toMatchObject({ dimensions: [], max_over_median: null });
});

test('norms of rows whose squares exceed float64', () => {
  const unit = 2 ** 600;
  expect(tokenNorms(Float64Array.of(0, 0, 3 * unit, 4 * unit), 2)).toEqual({
    first: 0,
    median: 2.5 * unit,
    max: 5 * unit,
    max_token: 1,
  });
});
