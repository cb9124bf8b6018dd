import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { keepNearest, squaredDistances } from '../../../src/analysis/measures/kernels.ts';
import { nearestDistances } from '../../../src/analysis/measures/nearest.ts';
import { DeviceError } from '../../../src/engine/errors.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { Deviations } from '../../support/deviations.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const source = new MatrixSource(11);

/** The squared distance of two rows, in float64. */
function squaredDistance(values: Float32Array, columns: number, a: number, b: number): number {
  let sum = 0;
  for (let k = 0; k < columns; k++) sum += (values[a * columns + k]! - values[b * columns + k]!) ** 2;
  return sum;
}

/** All distances of a row to the others, ascending, in float64. */
function sortedDistances(values: Float32Array, columns: number, point: number): number[] {
  return Array.from({ length: values.length / columns }, (_, row) =>
    row === point ? [] : [Math.sqrt(squaredDistance(values, columns, point, row))],
  )
    .flat()
    .sort((a, b) => a - b);
}

describe('squared-distances', () => {
  test.each([
    [1, 1, 0, 1],
    [2, 3, 1, 1],
    [3, 16, 0, 3],
    [64, 17, 0, 64],
    [65, 33, 63, 2],
    [130, 40, 5, 101],
  ])('%i points of %i columns, candidates from %i on: %i', async (points, columns, first, candidates) => {
    const values = source.massive(points, columns, 1000, 'row');
    const { distances } = await runKernel(gpu, squaredDistances, {
      buffers: { matrix: values, distances: poison(points * candidates + 8) },
      uniforms: { points, columns, first, candidates, scale: 0.25 },
      workgroups: [Math.ceil(points / 64), Math.ceil(candidates / 64)],
    });
    const actual = new Float32Array(distances);
    const deviations = new Deviations();
    for (let candidate = 0; candidate < candidates; candidate++) {
      for (let point = 0; point < points; point++) {
        const exact = squaredDistance(values, columns, point, first + candidate) / 16;
        deviations.check(actual[candidate * points + point]!, exact, 1e-6 * exact, candidate, point);
      }
    }
    expect(deviations.told).toEqual([]);
    expect(actual.subarray(points * candidates).every(Number.isNaN)).toBe(true);
  });
});

describe('keep-nearest', () => {
  test.each([
    [2, 1, 1],
    [3, 2, 2],
    [70, 64, 7],
    [133, 20, 64],
    [200, 64, 200],
  ])('of %i points the %i nearest, %i candidates at a time', async (points, ranks, run) => {
    const all = Array.from({ length: points }, () => source.random(points, 1).map(Math.abs));
    let nearest: Float32Array = poison(points * ranks);
    for (let first = 0; first < points; first += run) {
      const candidates = Math.min(run, points - first);
      const distances = new Float32Array(points * candidates);
      for (let candidate = 0; candidate < candidates; candidate++) {
        for (let point = 0; point < points; point++) {
          const isSelf = point === first + candidate;
          distances[candidate * points + point] = isSelf ? 0 : all[point]![first + candidate]!;
        }
      }
      const result = await runKernel(gpu, keepNearest, {
        buffers: { distances, nearest },
        uniforms: { points, first, candidates, ranks },
        workgroups: [Math.ceil(points / 64)],
      });
      nearest = new Float32Array(result.nearest);
    }
    all.forEach((own, point) => {
      const expected = own.filter((_, candidate) => candidate !== point).sort();
      const actual = Array.from({ length: ranks }, (_, rank) => nearest[rank * points + point]);
      expect(actual).toEqual(Array.from(expected.slice(0, ranks)));
    });
  });
});

const kinds: [string, number, number, (rows: number, columns: number) => Float32Array<ArrayBuffer>][] = [
  ['one row', 1, 5, (rows, columns) => Float32Array.from(source.random(rows, columns))],
  ['two rows', 2, 5, (rows, columns) => Float32Array.from(source.random(rows, columns))],
  ['three rows', 3, 1, (rows, columns) => Float32Array.from(source.random(rows, columns))],
  ['random', 150, 37, (rows, columns) => Float32Array.from(source.random(rows, columns))],
  ['massive row', 90, 50, (rows, columns) => Float32Array.from(source.massive(rows, columns, 30000, 'row'))],
  [
    'nearly equal rows',
    80,
    48,
    (rows, columns) => {
      const base = source.random(1, columns).map((value) => 12 + value);
      return Float32Array.from(source.random(rows, columns), (value, i) => base[i % columns]! + 1e-4 * value);
    },
  ],
  ['huge', 40, 30, (rows, columns) => Float32Array.from(source.random(rows, columns), (x) => 1e30 * x)],
  ['tiny', 40, 30, (rows, columns) => Float32Array.from(source.random(rows, columns), (x) => 1e-30 * x)],
  [
    'two rows that differ by 1e-25 of the rest',
    20,
    8,
    (rows, columns) => {
      const values = Float32Array.from(source.random(rows, columns));
      values.fill(0, 0, 2 * columns);
      values[3] = 1e-25;
      return values;
    },
  ],
];

test.each(kinds)('nearest distances of %s, %i x %i', async (name, rows, columns, make) => {
  const values = make(rows, columns);
  const ranks = Math.min(64, rows - 1);
  const before = gpu.allocatedBytes;
  const nearest = await nearestDistances(gpu, values, { name, rows, columns, ranks });
  expect(nearest.distances).toHaveLength(rows * ranks);
  const deviations = new Deviations();
  for (let point = 0; point < rows; point++) {
    const expected = sortedDistances(values, columns, point);
    for (let rank = 0; rank < ranks; rank++) {
      const distance = nearest.distances[rank * rows + point]!;
      deviations.check(distance, expected[rank]!, 1e-6 * expected[rank]!, 'point', point, 'rank', rank);
    }
  }
  expect(deviations.told).toEqual([]);
  expect(gpu.allocatedBytes).toBe(before);
});

test('a matrix over the binding limit is an error that names it and the limit', async () => {
  using small = await openTestGpu({ bindingLimit: 2 ** 14 });
  const shape = { name: 'states', rows: 100, columns: 60, ranks: 3 };
  const promise = nearestDistances(small, new Float32Array(6000), shape);
  await expect(promise).rejects.toThrow(DeviceError);
  await expect(promise).rejects.toThrow(/states \(100 x 60\) need .* 16384/);
});

test('runs of candidates that a small binding forces give the same', async () => {
  const values = Float32Array.from(source.random(150, 20));
  const shape = { name: 'states', rows: 150, columns: 20, ranks: 64 };
  using small = await openTestGpu({ bindingLimit: 4 * 150 * 64 });
  expect(await nearestDistances(small, values, shape)).toEqual(await nearestDistances(gpu, values, shape));
});

test('an aborted signal stops the work and frees its buffers', async () => {
  const before = gpu.allocatedBytes;
  const shape = { name: 'states', rows: 70, columns: 6, ranks: 3 };
  const signal = AbortSignal.abort(new Error('stopped'));
  await expect(nearestDistances(gpu, new Float32Array(420), shape, signal)).rejects.toThrow('stopped');
  expect(gpu.allocatedBytes).toBe(before);
});
