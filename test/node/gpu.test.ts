import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { isSwiftShaderInstalled, unpackSwiftShader } from '../../src/node/software-gpu.ts';
import { openOwnGpu } from '#platform';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openOwnGpu();
});
afterAll(() => {
  gpu.dispose();
});

test('an adapter is found on any machine and bytes survive the way there and back', async () => {
  const values = new Float32Array([1, -2.5, 3e-8, 1e30, 7]);
  using tensor = gpu.upload('values', [5], values);
  expect(await gpu.readFloats(tensor)).toEqual(values);
});

test('a tensor over the binding limit is split by rows and read back whole', async () => {
  const small = await openOwnGpu({ bindingLimit: 64 });
  const values = Float32Array.from({ length: 7 * 5 }, (_, index) => index);
  const tensor = small.upload('table', [7, 5], values);
  expect(tensor.parts.map(({ firstRow, rows }) => [firstRow, rows])).toEqual([
    [0, 3],
    [3, 3],
    [6, 1],
  ]);
  expect(await small.readFloats(tensor)).toEqual(values);
  expect(small.allocatedBytes).toBe(4 * values.length);
  tensor.dispose();
  expect(small.allocatedBytes).toBe(0);
  small.dispose();
});

test('an abort ends a wait for the GPU with its reason, and the device may be disposed of at once', async () => {
  const controller = new AbortController();
  const other = await openOwnGpu({ signal: controller.signal });
  const tensor = other.upload('values', [2], Float32Array.of(1, 2));
  const waits = [other.readFloats(tensor), other.finish()];
  const reason = new Error('enough');
  controller.abort(reason);
  for (const wait of waits) await expect(wait).rejects.toBe(reason);
  await expect(other.finish()).rejects.toBe(reason);
  other.dispose();
});

test.runIf(isSwiftShaderInstalled())('the unpacked driver is checked once per process', async () => {
  expect(await unpackSwiftShader()).toBe(await unpackSwiftShader());
});
