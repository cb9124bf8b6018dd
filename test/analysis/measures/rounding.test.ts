import { expect, test } from 'vitest';
import { layerDimensions } from '../../../src/analysis/dimensions.ts';
import { differByRounding, roundingNotice } from '../../../src/analysis/measures/rounding.ts';

/** Rows of norm 2 · 4^exponent with a spread of so much in all. */
function matrixOf(spread: number, exponent = 0) {
  const scale = 4 ** exponent;
  const values = new Float32Array(5 * 4).fill(scale);
  const singularValues = Float64Array.of(spread * scale, 0, 0, 0);
  return {
    name: 'layer 1, real',
    rows: 5,
    columns: 4,
    values,
    measured: { singularValues, dimensions: layerDimensions(singularValues, 5, 4, 95) },
  };
}

test.each([
  // The norm of the matrix is √20.
  [4.4e-6, true],
  [4.5e-6, false],
  [1, false],
  [0, false],
])('a spread of %f: %s', (spread, expected) => {
  for (const exponent of [0, 12, -12]) expect(differByRounding(matrixOf(spread, exponent))).toBe(expected);
});

test('one sentence names the first of such matrices', () => {
  expect(roundingNotice([])).toBeUndefined();
  expect(roundingNotice(['a'])).toMatch(/^a: rows differ by less than a millionth of their norms/);
  expect(roundingNotice(['a', 'b'])).toMatch(/^a and 1 other: rows/);
  expect(roundingNotice(['a', 'b', 'c'])).toMatch(/^a and 2 others: rows/);
});
