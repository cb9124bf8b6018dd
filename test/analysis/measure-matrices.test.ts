import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { measureMatrices } from '../../src/analysis/measure-matrices.ts';
import type { UnreadMatrix } from '../../src/analysis/measure-matrices.ts';
import { NumericalError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { centredColumns, singularValues } from '../support/jacobi-svd.ts';
import { MatrixSource } from '../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

type Values = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

function unread(values: Values, rows: number, columns: number, name = 'it'): UnreadMatrix {
  return { name, rows, columns, read: () => Promise.resolve(values.slice()) };
}

/** Singular values of the centred matrix, all in float64. */
function referenceOf(values: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const centred = centredColumns(Float64Array.from(values), rows, columns);
  const isTall = rows > columns;
  const vectors = Array.from({ length: Math.min(rows, columns) }, (_, vector) =>
    Float64Array.from(
      { length: Math.max(rows, columns) },
      (_, k) => centred[isTall ? k * columns + vector : vector * columns + k]!,
    ),
  );
  return singularValues(vectors);
}

const source = new MatrixSource(5);
const [rows, columns] = [40, 12];
const base = Float64Array.from(source.random(rows, columns), (value, index) => value * 0.7 ** (index % 12));
const reference = referenceOf(base, rows, columns);

/** The whole answer against float64, `scale` apart. */
async function expectScaled(values: Values, scale: number, expected = reference): Promise<void> {
  const [answer] = await measureMatrices(gpu, [unread(values, rows, columns)], { threshold: 95 });
  const { singularValues: actual, dimensions } = answer!;
  const tolerance = expected[0]! * rows * 2 ** -23;
  expected.forEach((value, k) => {
    const allowed = value > tolerance ? 1e-5 * value : 2e-7 * expected[0]!;
    expect(Math.abs(actual[k]! / scale - value), `value ${k}`).toBeLessThanOrEqual(allowed);
  });
  expect(dimensions.rank).toBe(expected.filter((value) => value > tolerance).length);
  expect(dimensions.rank_tolerance / scale / tolerance).toBeCloseTo(1, 5);
  const total = expected.reduce((sum, value) => sum + value * value, 0);
  let running = 0;
  const crossing = expected.findIndex((value) => (running += value * value) > 0.95 * total);
  expect(dimensions.effective_dimension).toBe(crossing + 1);
  expect(dimensions.stable_rank).toBeCloseTo(total / expected[0]! ** 2, 4);
}

test.each([
  ['as it is', 1, 0],
  ['on a large offset', 1e-3, 1e5],
  ['on an offset of each column', 1e-3, NaN],
  ['tiny', 1e-200, 0],
  ['huge', 1e200, 0],
  ['at the end of float64', 1e305, 0],
  ['near the smallest normal number of float64', 1e-303, 0],
])('float64 %s', async (_, scale, offset) => {
  const offsets = Array.from({ length: columns }, () => 1e4 * source.normal());
  const values = base.map(
    (value, index) => scale * value + (Number.isNaN(offset) ? offsets[index % columns]! : offset),
  );
  await expectScaled(values, scale);
});

test.each([
  ['near the largest float32', 2 ** 125],
  ['near the smallest normal float32', 2 ** -116],
])('float32 %s', async (_, scale) => {
  const single = Float32Array.from(base);
  const values = single.map((value) => value * scale);
  expect(values.every(Number.isFinite)).toBe(true);
  await expectScaled(
    values,
    scale,
    referenceOf(
      values.map((value) => value / scale),
      rows,
      columns,
    ),
  );
});

test('a large offset of float64 adds no direction', async () => {
  const ranks = Float64Array.from(
    source.ofRank(rows, columns, 3),
    (value, index) => 1e-3 * value + 1e6 * ((index % columns) + 1 / 3),
  );
  const [answer] = await measureMatrices(gpu, [unread(ranks, rows, columns)], { threshold: 95 });
  expect(answer!.dimensions.rank).toBe(3);
});

test('integers beyond float32', async () => {
  const whole = base.map((value) => Math.round(1000 * value));
  const expected = referenceOf(whole, rows, columns);
  await expectScaled(
    whole.map((value) => value + 2 ** 40),
    1,
    expected,
  );
});

test('shapes and scales mixed, vectors among them, in order', async () => {
  const matrices = [
    unread(base, rows, columns),
    unread(
      base.map((value) => value * 1e200),
      rows,
      columns,
    ),
    unread(base.subarray(0, 12), 1, 12),
    unread(base.subarray(0, 24), 2, 12),
    unread(
      base.subarray(0, 24).map((value) => value * 1e-200),
      24,
      1,
    ),
    unread(new Float64Array(60).fill(0.1), 5, 12),
    unread(
      base.map((value) => -value),
      rows,
      columns,
    ),
  ];
  const answers = await measureMatrices(gpu, matrices, { threshold: 95 });
  const largest = answers.map(({ singularValues: values }) => values[0]!);
  expect(largest[0]).toBeCloseTo(reference[0]!, 4);
  expect(largest[1]! / 1e200).toBeCloseTo(reference[0]!, 4);
  expect(largest[2]).toBe(0);
  const half = base.subarray(0, 12).map((value, column) => (value - base[12 + column]!) / 2);
  expect(largest[3]).toBeCloseTo(Math.SQRT2 * Math.hypot(...half), 5);
  expect(largest[4]! * 1e200).toBeCloseTo(referenceOf(base.subarray(0, 24), 24, 1)[0]!, 5);
  expect(largest[5]).toBe(0);
  expect(largest[6]).toBeCloseTo(reference[0]!, 4);
  expect(answers.map(({ dimensions }) => dimensions.rank)).toEqual([12, 12, 0, 1, 1, 0, 12]);
  for (const index of [2, 5]) {
    const { effective_dimension, effective_index, stable_rank } = answers[index]!.dimensions;
    expect({ effective_dimension, effective_index, stable_rank }).toEqual({
      effective_dimension: 0,
      effective_index: null,
      stable_rank: null,
    });
  }
});

test('a bad matrix names itself, and so does one whose singular values overflow; nothing stays allocated', async () => {
  const before = gpu.allocatedBytes;
  const bad = base.map((value, index) => (index === 29 ? NaN : value));
  const names = ['slice 0', 'slice 1', 'slice 2'];
  const measure = (values: Values) =>
    measureMatrices(
      gpu,
      names.map((name, index) => unread(index === 1 ? values : base, rows, columns, name)),
      { threshold: 95 },
    );
  await expect(measure(bad)).rejects.toThrow(NumericalError);
  await expect(measure(bad)).rejects.toThrow('slice 1: holds NaN at row 2, column 5');
  const large = base.map((value) => Math.sign(value) * 1.7e308);
  await expect(measure(large)).rejects.toThrow(/slice 1 exceed the range of float64/);
  expect(gpu.allocatedBytes).toBe(before);
});
