import { describe, expect, it, test } from 'vitest';
import { prepareMatrix } from '../../src/analysis/prepare-matrix.ts';
import { NumericalError } from '../../src/engine/errors.ts';
import { MatrixSource } from '../support/matrices.ts';

const [rows, columns] = [30, 8];
const base = Float64Array.from(new MatrixSource(3).random(rows, columns));

/** Centred in float64, from values that are small whole multiples of a power of two, so that nothing is rounded. */
function expectCentred(values: Float64Array<ArrayBuffer>, reference: (index: number) => number): void {
  const means = new Float64Array(columns);
  for (let index = 0; index < values.length; index++) means[index % columns]! += reference(index) / rows;
  const { values: prepared, exponent } = prepareMatrix(values, rows, columns, 'it');
  const largest = prepared.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  expect(largest).toBeGreaterThanOrEqual(0.5);
  expect(largest).toBeLessThan(4);
  const offsets = new Float64Array(columns);
  prepared.forEach((value, index) => (offsets[index % columns]! += value / rows));
  prepared.forEach((value, index) => {
    const expected = (reference(index) - means[index % columns]!) * 2 ** -exponent;
    expect(Math.abs(value - offsets[index % columns]! - expected)).toBeLessThanOrEqual(2e-7 * largest);
  });
}

describe('prepareMatrix', () => {
  it('leaves what float32 holds as it is', () => {
    const single = Float32Array.from(base);
    expect(prepareMatrix(single, rows, columns, 'it')).toEqual({ values: single, exponent: 0 });
    expect(prepareMatrix(Float64Array.from(single), rows, columns, 'it')).toEqual({
      values: single,
      exponent: 0,
    });
  });

  it('divides float32 near its limits by a power of two, exactly', () => {
    for (const power of [120, -130]) {
      const values = Float32Array.from(base, (value) => Math.fround(Math.fround(value) * 2 ** power));
      const prepared = prepareMatrix(values, rows, columns, 'it');
      expect(prepared.values.map((value) => value * 2 ** prepared.exponent)).toEqual(values);
      expect(Math.max(...prepared.values.map(Math.abs))).toBeLessThan(4);
    }
  });

  it('drops a constant column, however large', () => {
    const values = Float32Array.from(base, (value, index) =>
      index % columns === 2 ? 3.4e38 : value * 2 ** -100,
    );
    const prepared = prepareMatrix(values, rows, columns, 'it');
    expect(prepared.values.filter((_, index) => index % columns === 2)).toEqual(new Float32Array(rows));
    expect(prepared.values[0]! * 2 ** prepared.exponent).toBe(values[0]);
  });

  it.each([
    ['an offset', 2 ** -22, 1e5],
    ['smallness', 2 ** -700, 0],
    ['size', 2 ** 700, 0],
  ])('centres and scales in float64 what float32 would lose to %s', (_, scale, offset) => {
    const steps = base.map((value) => Math.round(value * 2 ** 12) / 2 ** 12);
    const values = steps.map((value) => value * scale + offset);
    expectCentred(values, (index) => steps[index]! * scale);
  });

  it('takes subnormal float64, and columns of different scales', () => {
    const small = base.map((value) => Math.round(8 * value) * 2 ** -1074);
    const subnormal = prepareMatrix(Float64Array.from(small), rows, columns, 'it');
    expect(subnormal.exponent).toBeLessThan(-1060);
    expect(Math.max(...subnormal.values.map(Math.abs))).toBeGreaterThan(0.5);
    const mixed = base.map((value, index) => (index % columns === 0 ? value * 1e300 : value * 1e-300));
    const prepared = prepareMatrix(mixed, rows, columns, 'it');
    expect(prepared.values.every((value, index) => index % columns === 0 || value === 0)).toBe(true);
  });

  test.each([NaN, Infinity, -Infinity])('%d is an error that says where the first is', (bad) => {
    for (const Type of [Float32Array, Float64Array]) {
      const values = Type.from(base);
      values[3 * columns + 5] = values[3 * columns + 6] = values[4 * columns] = bad;
      const prepare = () => prepareMatrix(values, rows, columns, 'states.npy, slice 2');
      expect(prepare).toThrow(NumericalError);
      expect(prepare).toThrow(`states.npy, slice 2: holds ${bad} at row 3, column 5`);
    }
  });
});
