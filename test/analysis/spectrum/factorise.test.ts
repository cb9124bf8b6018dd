import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import {
  centreColumns,
  columnMeans,
  gatherVectors,
  orderDescending,
  qrPanel,
  qrPanelLanes,
  qrUpdate,
  qrUpdateLanes,
  transposeTriangle,
  vectorNorms,
} from '../../../src/analysis/spectrum/kernels.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';

import { Deviations } from '../../support/deviations.ts';
import { centredColumns } from '../../support/jacobi-svd.ts';
import { bitsOf, dot, KernelBench } from '../../support/kernel-bench.ts';
import { MatrixSource } from '../../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const source = new MatrixSource(7);

test.each([
  [13, 21, 0],
  [37, 6, 5],
  [70, 33, 131],
])('column-means and centre-columns, %i x %i from element %i', async (rows, columns, offset) => {
  using bench = new KernelBench(gpu);
  const values = source.random(rows, columns).map((value, index) => {
    const column = index % columns;
    return column === 0 ? 1e6 + value : column === 1 ? 123456.7 : column === 2 ? 1e-4 * value : value;
  });
  const input = new Float32Array(offset + values.length).fill(NaN);
  input.set(values, offset);
  const transposed = rows > columns ? 1 : 0;
  const [vectors, length] = transposed ? [columns, rows] : [rows, columns];
  const stride = 4 * Math.ceil(length / 4);
  const matrix = bench.input(input);
  const means = bench.output(5 * columns);
  const summary = bench.input(new Uint32Array(8));
  const centred = bench.output(2 * vectors * stride);
  await bench.run((recorder) => {
    const common = { rows, columns, offset, slot: 1 };
    recorder.dispatch(columnMeans, {
      bindings: { matrix, means, summary },
      uniforms: common,
      workgroups: [Math.ceil(columns / 64)],
    });
    recorder.dispatch(centreColumns, {
      bindings: { matrix, means, summary, centred },
      uniforms: { ...common, transposed, stride, targetOffset: vectors * stride },
      workgroups: [Math.ceil(stride / 16), Math.ceil(vectors / 16)],
    });
  });

  const result = await bench.floats(centred);
  const [, , , , nonFinite, inputBits, centredBits] = await bench.words(summary);
  expect(nonFinite).toBe(0);
  expect(inputBits).toBe(bitsOf(values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
  const scale = 2 ** -((inputBits! >>> 23) - 126);
  const expected = centredColumns(values, rows, columns);
  let largest = 0;
  expect(result.subarray(0, vectors * stride).every(Number.isNaN)).toBe(true);
  const deviations = new Deviations();
  for (let vector = 0; vector < vectors; vector++) {
    for (let k = 0; k < stride; k++) {
      const actual = result[(vectors + vector) * stride + k]!;
      largest = Math.max(largest, Math.abs(actual));
      const element = transposed ? k * columns + vector : vector * columns + k;
      const wanted = k < length ? scale * expected[element]! : 0;
      // Half a unit in the last place, and what the digits leave out: 2^-48 of the column's largest, twice.
      const column = element % columns;
      let columnLargest = 0;
      for (let row = 0; row < rows; row++) {
        columnLargest = Math.max(columnLargest, Math.abs(values[row * columns + column]!));
      }
      const allowed = k < length ? 2 ** -24 * 1.01 * Math.abs(wanted) + 2 ** -47 * scale * columnLargest : 0;
      deviations.check(actual, wanted, allowed, 'vector', vector, 'element', k);
    }
  }
  expect(deviations.told).toEqual([]);
  expect(centredBits).toBe(bitsOf(largest));
});

test('vector-norms, order-descending and gather-vectors', async () => {
  using bench = new KernelBench(gpu);
  const [matrices, vectors, padded, length4] = [2, 37, 64, 5];
  const values = source.random(matrices * vectors, 4 * length4);
  values.fill(0, 3 * 20, 4 * 20);
  for (let k = 80; k < 100; k++) values[k]! *= 1e-9;
  const summary = new Uint32Array(8);
  summary[2] = bitsOf(3.5);
  summary[6] = bitsOf(0.2);
  const input = bench.input(values);
  const summaryBuffer = bench.input(summary);
  const norms = bench.output(matrices * padded);
  const order = bench.output(matrices * padded);
  const sorted = bench.output(matrices * padded);
  const floors = bench.output(matrices);
  const gathered = bench.output(matrices * padded * 4 * length4);
  await bench.run((recorder) => {
    recorder.dispatch(vectorNorms, {
      bindings: { vectors: input, summary: summaryBuffer, norms },
      uniforms: { vectors, live: vectors, length4, padded, scaled: 1 },
      workgroups: [padded, matrices],
    });
    recorder.dispatch(orderDescending, {
      bindings: { norms, order, sorted, floors },
      uniforms: { padded },
      workgroups: [1, matrices],
    });
    recorder.dispatch(gatherVectors, {
      bindings: { source: input, summary: summaryBuffer, order, sorted, floors, gathered },
      uniforms: { vectors, padded, length4 },
      workgroups: [1, padded, matrices],
    });
  });
  const [ranks, norm, copied, floor] = [
    await bench.words(order),
    await bench.floats(sorted),
    await bench.floats(gathered),
    await bench.floats(floors),
  ];
  for (let matrix = 0; matrix < matrices; matrix++) {
    const scale = matrix === 0 ? 1 / 4 : 4;
    const rows = Array.from({ length: padded }, (_, vector) =>
      vector < vectors
        ? values.slice(20 * (matrix * vectors + vector), 20 * (matrix * vectors + vector + 1))
        : new Float32Array(20),
    ).map((row) => row.map((value) => scale * value));
    const lengths = rows.map((row) => Math.sqrt(dot(row, row)));
    const wanted = lengths.map((_, vector) => vector).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
    expect([...ranks.subarray(matrix * padded, (matrix + 1) * padded)]).toEqual(wanted);
    wanted.forEach((vector, rank) => {
      const actual = norm[matrix * padded + rank]!;
      expect(Math.abs(actual - lengths[vector]!)).toBeLessThanOrEqual(3e-7 * lengths[vector]!);
      const start = 20 * (matrix * padded + rank);
      const isZero = lengths[vector]! <= 2e-8 * lengths[wanted[0]!]!;
      expect(copied.slice(start, start + 20)).toEqual(isZero ? new Float32Array(20) : rows[vector]);
    });
    expect(floor[matrix]! / (2e-8 * lengths[wanted[0]!]!)).toBeCloseTo(1, 5);
  }
});

describe.each([
  [0, qrPanel, qrUpdate],
  [4, qrPanelLanes, qrUpdateLanes],
  [8, qrPanelLanes, qrUpdateLanes],
])('qr-panel and its update by %i lanes', (lanes, panel, update) => {
  const constants = { lanes };
  test.each([
    [37, 50],
    [16, 16],
    [1, 3],
    [33, 129],
  ])('%i columns of %i rows: R has the Gram matrix of A', async (count, rows) => {
    if (lanes > 0 && gpu.tuning.lanes === 0) return;
    using bench = new KernelBench(gpu);
    const padded = 32 * Math.ceil(count / 32);
    const length4 = Math.ceil(rows / 4);
    const length = 4 * length4;
    const matrices = 2;
    const values = new Float32Array(matrices * padded * length);
    for (let vector = 0; vector < matrices * padded; vector++) {
      if (vector % padded >= count || vector === 5) continue;
      for (let k = 0; k < rows; k++) values[vector * length + k] = source.normal() * 10 ** -(vector % 7);
    }
    const columns = bench.input(values);
    const reflectors = bench.output(matrices * 16 * length);
    const triangle = bench.output(matrices * 256);
    const lower = bench.output(matrices * padded * padded);
    await bench.run((recorder) => {
      for (let first = 0; first < count; first += 16) {
        recorder.dispatch(panel, {
          bindings: { columns, reflectors, triangle },
          uniforms: { columns: count, padded, length4, first },
          constants,
          workgroups: [matrices],
        });
        recorder.dispatch(update, {
          bindings: { columns, reflectors, triangle },
          uniforms: { padded, length4, first },
          constants,
          workgroups: [Math.max(0, Math.ceil((count - first - 16) / 16)), matrices],
        });
      }
      recorder.dispatch(transposeTriangle, {
        bindings: { factored: columns, lower },
        uniforms: { columns: count, padded, stride: length },
        workgroups: [padded / 16, padded / 16, matrices],
      });
    });
    const result = await bench.floats(lower);
    const column = (matrix: number, k: number) =>
      Float64Array.from({ length: padded }, (_, j) => result[(matrix * padded + j) * padded + k]!);
    const products = new Deviations();
    for (let matrix = 0; matrix < matrices; matrix++) {
      const columnsOfR = Array.from({ length: padded }, (_, k) => column(matrix, k));
      for (let i = 0; i < padded; i++) {
        const a = values.subarray((matrix * padded + i) * length, (matrix * padded + i + 1) * length);
        const r = columnsOfR[i]!;
        expect(r.subarray(i + 1).every((value) => value === 0)).toBe(true);
        for (let j = 0; j <= i; j++) {
          const b = values.subarray((matrix * padded + j) * length, (matrix * padded + j + 1) * length);
          const allowed = 3e-6 * Math.sqrt(dot(a, a) * dot(b, b));
          products.check(dot(r, columnsOfR[j]!), dot(a, b), allowed, matrix, i, j);
        }
      }
    }
    expect(products.told).toEqual([]);
  });
});
