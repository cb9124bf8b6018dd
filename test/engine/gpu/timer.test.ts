import { describe, expect, test } from 'vitest';
import { openOwnGpu, openTestGpu } from '#platform';
import { ForwardPass } from '../../../src/engine/forward-pass.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import type { Recorder } from '../../../src/engine/gpu/recorder.ts';
import { findNonfinite, rotary } from '../../../src/engine/kernels.ts';

test('times that no one can read any more fail whoever asks for them, and no one else', async () => {
  const gpu = await openOwnGpu({ timed: true });
  using pass = new ForwardPass(gpu, 64, 1, 64);
  const weight = gpu.upload('weight', [64], new Float32Array(64));
  pass.layerNorm(pass.residual, 'normed', { weight, bias: weight, epsilon: 1e-5 });
  pass.submit();
  gpu.dispose();
  // Vitest fails the run for a rejection that nobody has handled by now.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const times = gpu.timer?.totals() ?? Promise.reject(new Error('this adapter has no timestamps'));
  await expect(times).rejects.toThrow();
});

const HEADS = { stride: 2, heads: 1, keyHeads: 1, headStride: 2, keyOffset: 0 };

describe('every dispatch is counted, for its own kernel', () => {
  const search = (recorder: Recorder, values: GPUBuffer, found: GPUBuffer): void =>
    recorder.dispatch(findNonfinite, {
      bindings: { values, found },
      uniforms: { elements: 1, slot: 0, workgroups: 1 },
      workgroups: [1],
    });
  const rotate = (recorder: Recorder, table: GPUBuffer, target: GPUBuffer): void =>
    recorder.dispatch(rotary, {
      bindings: { cosines: table, sines: table, queryKeyValue: target },
      uniforms: { ...HEADS, half: 1, firstElement: 0, firstPosition: 0 },
      workgroups: [1],
    });
  const countsOf = async (gpu: Gpu): Promise<Record<string, number>> =>
    Object.fromEntries((await gpu.timer!.totals()).map(({ kernel, dispatches }) => [kernel, dispatches]));

  test.each([
    ['as many as one query set has room for', 200, 56],
    ['one more', 256, 1],
    ['several query sets of them', 2100, 300],
  ])('%s in one submission', async (_, searches, rotations) => {
    using gpu = await openTestGpu({ timed: true });
    const [values, found] = [gpu.allocate('values', 64), gpu.allocate('found', 64)];
    const recorder = gpu.recorder();
    for (let index = 0; index < searches; index++) search(recorder, values, found);
    for (let index = 0; index < rotations; index++) rotate(recorder, values, found);
    recorder.submit();
    expect(await countsOf(gpu)).toEqual({ 'find-nonfinite': searches, rotary: rotations });
    for (const { milliseconds } of await gpu.timer!.totals()) expect(milliseconds).toBeGreaterThanOrEqual(0);
  });

  test('where two recorders record in turn', async () => {
    using gpu = await openTestGpu({ timed: true });
    const [values, found] = [gpu.allocate('values', 64), gpu.allocate('found', 64)];
    const [one, other] = [gpu.recorder(), gpu.recorder()];
    search(one, values, found);
    rotate(other, values, found);
    search(one, values, found);
    other.submit();
    expect(await countsOf(gpu)).toEqual({ rotary: 1 });
    one.submit();
    expect(await countsOf(gpu)).toEqual({ 'find-nonfinite': 2, rotary: 1 });
  });
});
