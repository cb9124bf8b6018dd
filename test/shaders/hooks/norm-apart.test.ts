import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { normaliseRows, normStatistics, scaleShift } from '../../../src/engine/hooks/kernels.ts';
import { MatrixSource } from '../../support/matrices.ts';
import * as reference from '../../support/reference.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test.each([
  [1, 1, 4],
  [5, 65, 8],
  [3, 768, 64],
])(
  '%i rows of %i by %i threads: a layer norm in three steps is a layer norm',
  async (rows, width, threads) => {
    const source = new MatrixSource(rows + width);
    // A mean that is far from 0, and one element that dwarfs its row.
    const input = source.random(rows, width).map((value, at) => (at === 3 ? 3000 : value + 10));
    const [weight, bias] = [source.random(1, width), source.random(1, width)];
    const epsilon = 1e-5;
    const { statistics } = await runKernel(gpu, normStatistics, {
      buffers: { input, statistics: poison(3 * rows) },
      uniforms: { rows, width, epsilon },
      constants: { threads, centred: 1 },
      workgroups: [rows],
    });
    const found = new Float32Array(statistics);
    for (let row = 0; row < rows; row++) {
      const of = Float64Array.from(input.subarray(row * width, (row + 1) * width));
      const mean = of.reduce((sum, x) => sum + x, 0) / width;
      const scale = Math.sqrt(of.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width + Math.fround(epsilon));
      expect(Math.abs(found[3 * row + 2]! - scale)).toBeLessThanOrEqual(3e-7 * scale);
      const half = found[3 * row]! + found[3 * row + 1]!;
      expect(Math.abs(half - mean)).toBeLessThanOrEqual(2e-7 * (Math.abs(mean) + scale));
    }
    const grid = [Math.ceil(width / 64), rows] as const;
    const normalised = await runKernel(gpu, normaliseRows, {
      buffers: { input, statistics: found, output: poison(rows * width) },
      uniforms: { rows, width },
      workgroups: grid,
    });
    const { values } = await runKernel(gpu, scaleShift, {
      buffers: { weight, bias, values: new Float32Array(normalised.output) },
      uniforms: { rows, width },
      workgroups: grid,
    });
    const expected = reference.layerNorm(input, weight, bias, Math.fround(epsilon));
    const largest = Math.max(...expected.map(Math.abs));
    new Float32Array(values).forEach((value, at) => {
      expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(1e-6 * largest);
    });
  },
);

test('rows that are not centred have their root mean square', async () => {
  const [rows, width] = [4, 100];
  const input = new MatrixSource(9).random(rows, width);
  const { statistics } = await runKernel(gpu, normStatistics, {
    buffers: { input, statistics: poison(3 * rows) },
    uniforms: { rows, width, epsilon: 1e-6 },
    constants: { threads: 8, centred: 0 },
    workgroups: [rows],
  });
  const found = new Float32Array(statistics);
  for (let row = 0; row < rows; row++) {
    const of = input.subarray(row * width, (row + 1) * width);
    const meanSquare = of.reduce((sum, x) => sum + x * x, 0) / width + Math.fround(1e-6);
    expect([found[3 * row], found[3 * row + 1]]).toEqual([0, 0]);
    expect(found[3 * row + 2]).toBeCloseTo(Math.sqrt(meanSquare), 5);
  }
});
