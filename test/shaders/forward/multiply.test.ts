import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { multiply } from '../../../src/engine/kernels.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test.each([
  [1, 1],
  [3, 63],
  [2, 64],
  [17, 130],
])('%i rows of %i: each element is the rounded product, and what follows stays', async (rows, width) => {
  const source = new MatrixSource(rows + width);
  const margin = 5;
  const values = source.random(1, rows * width + margin);
  const factors = source.random(1, rows * width + margin);
  factors[0] = 1e30; // a massive factor is its own element's alone
  const result = await runKernel(gpu, multiply, {
    buffers: { values, factors },
    uniforms: { rows, width },
    workgroups: [Math.ceil(width / 64), rows],
  });
  const expected = values.map((value, i) => (i < rows * width ? value * factors[i]! : value));
  expect(new Float32Array(result.values)).toEqual(expected);
});
