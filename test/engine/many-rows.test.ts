import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { openTestGpu } from '#platform';
import { ForwardPass } from '../../src/engine/forward-pass.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { MaxLogSoftmax } from '../../src/engine/log-softmax.ts';
import { bindableRows } from '../../src/engine/gpu/row-ranges.ts';

/** More than a dispatch may have workgroups in one dimension, 65535. */
const ROWS = 65_535 + 70;

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterEach(() => {
  vi.restoreAllMocks();
});
afterAll(() => {
  gpu.dispose();
});

test.each([1, 3, 64])('runs of %i columns cover all rows and begin where bindings may', (columns) => {
  using tensor = gpu.tensor('rows', [ROWS, columns]);
  let next = 0;
  for (const [first, rows] of bindableRows(gpu, tensor)) {
    expect(first).toBe(next);
    expect((4 * columns * first) % 256).toBe(0);
    expect(rows).toBeLessThanOrEqual(65_535);
    next += rows;
  }
  expect(next).toBe(ROWS);
});

// Running these would take a software adapter a minute; the device checks dispatches and bindings as they are recorded.
test('the steps of a Llama on one sequence of so many tokens are valid commands', async () => {
  const submit = vi.spyOn(gpu.device.queue, 'submit').mockImplementation(() => undefined);
  using pass = new ForwardPass(gpu, 1, ROWS, 2);
  const [heads, headWidth, headStride, keyOffset] = [1, 2, 2, 2];
  using weight = gpu.upload('weight', [2], Float32Array.of(1, 1));
  using matrix = gpu.upload('matrix', [2, 2], new Float32Array(4));
  const product = { weight: matrix, layout: '[out, in]' } as const;
  const normed = pass.rmsNorm(pass.residual, 'normed', { weight, epsilon: 1e-5 });
  const queryKeyValue = pass.linears(normed, 'queryKeyValue', [product, product, product]);
  pass.normHeads(queryKeyValue, { heads, headWidth, headStride, offset: 2 }, { weight, epsilon: 1e-5 });
  pass.rotate(queryKeyValue, { heads, headWidth, headStride, keyOffset, dimensions: 2, base: 10 });
  pass.multiply(pass.linear(normed, 'inner', product), pass.linear(normed, 'up', product));
  pass.submit();
  expect(submit).toHaveBeenCalled();
  await expect(gpu.finish()).resolves.toBeUndefined();
});

test('layer norm and log-softmax of more rows than a dispatch has workgroups are valid commands', async () => {
  const submit = vi.spyOn(gpu.device.queue, 'submit').mockImplementation(() => undefined);
  using pass = new ForwardPass(gpu, ROWS, 1, 2);
  using weight = gpu.upload('weight', [2], Float32Array.of(1, 1));
  using bias = gpu.upload('bias', [2], Float32Array.of(0, 0));
  const normed = pass.layerNorm(pass.residual, 'normed', { weight, bias, epsilon: 1e-5 });
  pass.submit();
  using head = gpu.upload('head', [3, 2], new Float32Array(6));
  using softmax = new MaxLogSoftmax(gpu, normed);
  await softmax.fold(head, 0);
  expect(submit).toHaveBeenCalledTimes(2);
  await expect(gpu.finish()).resolves.toBeUndefined();
});
