import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import {
  cumulativePercent,
  directionExtents,
  jacobiRound,
  jacobiRoundStaged,
  jacobiSweepEnd,
  orderDescending,
  projectVectors,
  projectVectorsLanes,
  rowExtents,
  vectorNorms,
} from '../../../src/analysis/spectrum/kernels.ts';
import { recordLanesRound } from '../../../src/analysis/spectrum/sweeps.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import type { Recorder } from '../../../src/engine/gpu/recorder.ts';

import { Deviations } from '../../support/deviations.ts';
import { bitsOf, dot, KernelBench } from '../../support/kernel-bench.ts';
import { MatrixSource } from '../../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const source = new MatrixSource(8);

describe('jacobi-round and jacobi-sweep-end', () => {
  test.each([
    [16, 0, 9],
    [64, 0, 33],
    [16, 1, 40],
    [64, 1, 7],
    ['staged, 256', 0, 9],
    ['staged, 256', 0, 32],
    ['staged, 256', 1, 40],
    ['staged, 256', 1, 7],
    ['four lanes as', 0, 9],
    ['four lanes as', 0, 32],
    ['four lanes as', 1, 40],
    ['four lanes as', 1, 7],
    ['eight lanes as', 0, 9],
    ['eight lanes as', 1, 7],
  ])('%s threads, crosswise %i, length %i x 4', async (threads, crosswise, length4) => {
    // Each four of eight lanes work apart, so that they may be in two subgroups.
    const lanes = threads === 'four lanes as' ? 4 : threads === 'eight lanes as' ? 8 : 0;
    if (lanes > 0 && gpu.tuning.lanes === 0) return;
    using bench = new KernelBench(gpu);
    const [blocks, length, matrices] = [4, 4 * length4, 2];
    const values = source.random(matrices * 16 * blocks, length);
    values.fill(0, length, 2 * length);
    for (let k = 0; k < length; k++) values[2 * length + k]! *= 1e4;
    const vectors = bench.input(values);
    const floors = bench.input(Float32Array.of(1e-6, 1e-6));
    const progress = bench.input(Uint32Array.of(0, 0, 1, 5));
    const worst = bench.input(new Uint32Array(matrices));
    const blockGrams = (from: Float32Array) =>
      Float32Array.from({ length: matrices * blocks * 256 }, (_, at) => {
        const [first, i, j] = [16 * Math.floor(at / 256), Math.floor(at / 16) % 16, at % 16];
        return dot(vector(from, first + i), vector(from, first + j));
      });
    const vector = (from: Float32Array, index: number) => from.subarray(index * length, (index + 1) * length);
    // A sweep's first round makes them, the others go on with them. Beside them is room for products between blocks.
    const gramValues = new Float32Array(1.5 * matrices * blocks * 256);
    if (crosswise) gramValues.set(blockGrams(values).subarray(0, blocks * 256));
    const grams = bench.input(gramValues);
    const steps = bench.output((matrices * blocks) / 2);
    const turns = bench.output((matrices * blocks * 31 * 32) / 2);
    await bench.run((recorder) => {
      const common = { vectors, floors, progress, worst };
      const uniforms = { blocks, length4, round: 1, crosswise };
      const workgroups = [blocks / 2, matrices] as const;
      if (lanes > 0) {
        recordLanesRound(recorder, lanes, { ...common, grams, steps, turns }, uniforms, workgroups);
      } else if (typeof threads === 'string') {
        recorder.dispatch(jacobiRoundStaged, { bindings: common, uniforms, workgroups });
      } else {
        recorder.dispatch(jacobiRound, { bindings: common, uniforms, constants: { threads }, workgroups });
      }
    });
    const after = await bench.floats(vectors);
    const found = new Float32Array((await bench.words(worst)).buffer);
    // Round 1 of 4 blocks pairs 1 with 3 and 2 with 0.
    let largest = 0;
    for (const pair of [
      [1, 3],
      [0, 2],
    ]) {
      const indices = pair.flatMap((block) => Array.from({ length: 16 }, (_, i) => 16 * block + i));
      let [before2, after2] = [0, 0];
      for (const i of indices) {
        for (const j of indices) {
          if (j >= i) continue;
          const [a, b] = [vector(values, i), vector(values, j)];
          const cosine = Math.abs(dot(a, b)) / Math.sqrt(dot(a, a) * dot(b, b) || 1);
          // Lanes look at crossing pairs alone; the others were looked at in the sweep's first round.
          if (!(lanes > 0 && crosswise) || (i ^ j) >= 16) largest = Math.max(largest, cosine);
          before2 += cosine ** 2;
          const [c, d] = [vector(after, i), vector(after, j)];
          after2 += dot(c, d) ** 2 / (dot(c, c) * dot(d, d) || 1);
        }
      }
      expect(after2).toBeLessThan((crosswise ? 0.9 : 0.7) * before2);
      // W Q Q' W' = W W': what the pair spans, and how far, stays.
      const [own, turned] = [values, after].map((from) => indices.map((i) => vector(from, i)));
      const outer = (vectors: Float32Array[], row: number, column: number) =>
        vectors.reduce((sum, each) => sum + each[row]! * each[column]!, 0);
      const spanned = new Deviations();
      for (let row = 0; row < length; row += 3) {
        for (let column = 0; column < length; column += 5) {
          const scale = Math.sqrt(outer(own!, row, row) * outer(own!, column, column));
          const [actual, wanted] = [outer(turned!, row, column), outer(own!, row, column)];
          spanned.check(actual, wanted, 3e-6 * scale, row, column);
        }
      }
      expect(spanned.told).toEqual([]);
    }
    expect(found[0]! / largest).toBeCloseTo(1, 4);
    // The second matrix had converged: untouched.
    expect(after.subarray(after.length / 2)).toEqual(values.subarray(values.length / 2));
    expect(found[1]).toBe(0);

    if (lanes > 0) {
      const [kept, wanted] = [await bench.floats(grams), blockGrams(after)];
      const products = new Deviations();
      for (let at = 0; at < blocks * 256; at++) {
        const [first, i, j] = [256 * Math.floor(at / 256), Math.floor(at / 16) % 16, at % 16];
        const scale = Math.sqrt(wanted[first + 17 * i]! * wanted[first + 17 * j]!);
        products.check(kept[at]!, wanted[at]!, 1e-5 * scale, at);
      }
      expect(products.told).toEqual([]);
    }

    const end = (recorder: Recorder) => {
      recorder.dispatch(jacobiSweepEnd, {
        bindings: { worst, progress },
        uniforms: { matrices },
        workgroups: [1],
      });
    };
    await bench.run(end);
    expect([...(await bench.words(progress))]).toEqual([0, 1, 1, 5]);
    await bench.run(end);
    expect([...(await bench.words(progress))]).toEqual([1, 2, 1, 5]);
  });
});

test.each([
  [0, 20, 11],
  [0, 300, 9],
  [4, 20, 11],
  [4, 300, 9],
  [8, 20, 11],
])('project-vectors by %i lanes keeps small differences of %i vectors', async (lanes, vectors, length4) => {
  const isLanes = lanes > 0;
  if (isLanes && gpu.tuning.lanes === 0) return;
  using bench = new KernelBench(gpu);
  const padded = 32 * Math.ceil(vectors / 32);
  const length = 4 * length4;
  // Vector 2 i + 1 repeats vector 2 i but for a part in 2^15; the directions are pairs' differences, and a random one.
  const values = source.random(vectors, length).map((value) => value / 8);
  for (let vector = 1; vector < vectors; vector += 2) {
    for (let k = 0; k < length; k++) {
      values[vector * length + k] = values[(vector - 1) * length + k]! + source.normal() * 2 ** -18;
    }
  }
  const lowerValues = new Float32Array(padded * padded);
  for (let j = 0; j < vectors; j++) {
    const pair = 2 * Math.floor(j / 2);
    if (j === 0) for (let k = 0; k < vectors; k++) lowerValues[k] = source.normal();
    else {
      lowerValues[j * padded + pair] = 2 ** -(j % 20);
      if (pair + 1 < vectors) lowerValues[j * padded + pair + 1] = -lowerValues[j * padded + pair]!;
    }
  }
  const summaryValues = new Uint32Array(4);
  summaryValues[2] = bitsOf(values.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const scale = 2 ** (126 - (summaryValues[2] >>> 23));
  const centred = bench.input(values);
  const lower = bench.input(lowerValues);
  const summary = bench.input(summaryValues);
  const norms = bench.output(padded);
  const sorted = bench.output(padded);
  const directionNorms = bench.output(padded);
  const directionOrder = bench.output(padded);
  const floors = bench.output(1);
  const directions = bench.output(4 * padded);
  const extents = bench.output(length);
  const projected = bench.output(padded * length);
  const identity = bench.input(Uint32Array.from({ length: padded }, (_, k) => k));
  await bench.run((recorder) => {
    recorder.dispatch(vectorNorms, {
      bindings: { vectors: centred, summary, norms },
      uniforms: { vectors, live: vectors, length4, padded, scaled: 1 },
      workgroups: [padded],
    });
    // The vectors stay in their own order here, so `sorted` is `norms` and the order the identity.
    recorder.copy(norms, 0, sorted, 0, 4 * padded);
    recorder.dispatch(rowExtents, {
      bindings: { vectors: centred, summary, norms, extents },
      uniforms: { vectors, padded, length4 },
      workgroups: [1],
    });
    recorder.dispatch(vectorNorms, {
      bindings: { vectors: lower, summary, norms },
      uniforms: { vectors: padded, live: vectors, length4: padded / 4, padded, scaled: 0 },
      workgroups: [padded],
    });
    recorder.dispatch(orderDescending, {
      bindings: { norms, order: directionOrder, sorted: directionNorms, floors },
      uniforms: { padded },
      workgroups: [Math.ceil(padded / 64)],
    });
    recorder.dispatch(directionExtents, {
      bindings: { lower, sorted, order: directionOrder, norms: directionNorms, floors, directions },
      uniforms: { padded },
      workgroups: [Math.ceil(padded / 32)],
    });
    const [rows, tile] = isLanes ? [4 * lanes, 16] : [32, 32];
    for (let firstGroup = 0; firstGroup < Math.ceil((4 * length4) / rows); firstGroup++) {
      recorder.dispatch(isLanes ? projectVectorsLanes : projectVectors, {
        bindings: { centred, summary, order: identity, sorted, lower, directions, extents, projected },
        uniforms: { vectors, padded, length4, firstGroup },
        constants: { lanes },
        workgroups: [1, padded / tile],
      });
    }
  });
  const result = await bench.floats(projected);
  const ranks = await bench.words(directionOrder);
  ranks.forEach((j, rank) => {
    const weights = lowerValues.subarray(j * padded, j * padded + vectors);
    const norm = Math.sqrt(dot(weights, weights));
    const row = result.subarray(rank * length, (rank + 1) * length);
    const wanted = Float64Array.from({ length }, (_, k) => {
      let sum = 0;
      for (let vector = 0; vector < vectors; vector++) sum += weights[vector]! * values[vector * length + k]!;
      return norm > 0 ? (scale * sum) / norm : 0;
    });
    const size = Math.sqrt(dot(wanted, wanted));
    const deviations = new Deviations();
    row.forEach((value, k) => {
      deviations.check(value, wanted[k]!, 5e-6 * size, 'direction', j, 'row', k);
    });
    expect(deviations.told).toEqual([]);
  });
});

test.each([1, 37, 64, 200])('cumulative-percent of %i values', async (count) => {
  using bench = new KernelBench(gpu);
  const stride = count + 7;
  const values = new Float32Array(3 * stride).fill(NaN);
  const sets = [
    Float32Array.from({ length: count }, (_, k) => 3 * 0.97 ** k),
    Float32Array.from({ length: count }, (_, k) => (k === 0 ? 1e4 : 1 + 1 / k)),
    new Float32Array(count),
  ];
  sets.forEach((set, matrix) => values.set(set, matrix * stride));
  const singularValues = bench.input(values);
  const percent = bench.output(values.length);
  await bench.run((recorder) => {
    recorder.dispatch(cumulativePercent, {
      bindings: { singularValues, percent },
      uniforms: { values: count, stride },
      workgroups: [3],
    });
  });
  const result = await bench.floats(percent);
  sets.forEach((set, matrix) => {
    const total = dot(set, set);
    let running = 0;
    const deviations = new Deviations();
    set.forEach((value, k) => {
      running += value * value;
      const wanted = total > 0 ? (100 * running) / total : 0;
      deviations.check(result[matrix * stride + k]!, wanted, 3e-5, k);
    });
    expect(deviations.told).toEqual([]);
    expect(result.subarray(matrix * stride + count, (matrix + 1) * stride).every(Number.isNaN)).toBe(true);
  });
});
