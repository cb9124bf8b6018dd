import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { headNorm, rmsNorm } from '../../../src/engine/kernels.ts';
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

/** The largest relative error of any element, in units of 2⁻²⁴: nothing cancels, so each is measured by itself. */
function worstError(actual: ArrayLike<number>, expected: Float64Array): number {
  let worst = 0;
  expected.forEach((value, index) => {
    const error = Math.abs(actual[index]! - value) / (Math.abs(value) * 2 ** -24 || Number.MIN_VALUE);
    if (!(error <= worst)) worst = error;
  });
  return worst;
}

// What a software GPU takes for a row, and what a hardware GPU does; both are right.
describe.each([4, 8, 64])('%i threads', (threads) => {
  async function worstOf(input: Float32Array, weight: Float32Array, epsilon = 1e-5): Promise<number> {
    const width = weight.length;
    const rows = input.length / width;
    const { output } = await runKernel(gpu, rmsNorm, {
      buffers: { input, weight, output: poison(input.length) },
      uniforms: { rows, width, epsilon },
      constants: { threads },
      workgroups: [rows],
    });
    return worstError(new Float32Array(output), reference.rmsNorm(input, weight, Math.fround(epsilon)));
  }

  test.each([
    [1, 1],
    [3, 5],
    [17, 65],
    [70, 129],
    [1, 768],
    [2, 4096],
  ])('%i rows of %i', async (rows, width) => {
    const source = new MatrixSource(rows + width);
    expect(await worstOf(source.random(rows, width), source.random(1, width))).toBeLessThanOrEqual(8);
  });

  test.each([30, 3000, 30_000, 1e6])(
    'an element %f times the rest costs the rest nothing',
    async (factor) => {
      const source = new MatrixSource(7);
      const input = source.random(2, 1600);
      input[103]! *= factor;
      input[3199]! *= factor;
      expect(await worstOf(input, source.random(1, 1600))).toBeLessThanOrEqual(8);
    },
  );

  test.each([1e-12, 1e-6, 1e-2])('epsilon %f counts where the squares are as small', async (epsilon) => {
    const source = new MatrixSource(17);
    const input = source.random(3, 200).map((x) => 1e-3 * x);
    expect(await worstOf(input, source.random(1, 200), epsilon)).toBeLessThanOrEqual(8);
  });

  test('a row of zeros stays zero', async () => {
    const weight = new Float32Array(65).fill(1);
    const { output } = await runKernel(gpu, rmsNorm, {
      buffers: { input: new Float32Array(65), weight, output: poison(65) },
      uniforms: { rows: 1, width: 65, epsilon: 1e-6 },
      constants: { threads },
      workgroups: [1],
    });
    expect(new Float32Array(output)).toEqual(new Float32Array(65));
  });

  test.each([
    { tokens: 1, heads: 1, headWidth: 1 },
    { tokens: 5, heads: 3, headWidth: 7 },
    { tokens: 2, heads: 2, headWidth: 128 },
    { tokens: 33, heads: 4, headWidth: 65 },
  ])('$heads heads of $headWidth in the rows of $tokens tokens', async ({ tokens, heads, headWidth }) => {
    const epsilon = 1e-6;
    const [offset, headStride] = [2, headWidth + 1];
    const stride = offset + heads * headStride + 4;
    const source = new MatrixSource(tokens + headWidth);
    const before = source.random(tokens, stride);
    before[offset]! *= 1e4; // a massive element
    const weight = source.random(1, headWidth);
    const { values } = await runKernel(gpu, headNorm, {
      buffers: { weight, values: before },
      uniforms: { stride, headWidth, headStride, offset, epsilon },
      constants: { threads },
      workgroups: [tokens, heads],
    });
    const actual = new Float32Array(values);
    const others = new Set(before.keys());
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < heads; head++) {
        const start = token * stride + offset + head * headStride;
        const expected = reference.rmsNorm(
          before.subarray(start, start + headWidth),
          weight,
          Math.fround(epsilon),
        );
        expect(worstError(actual.subarray(start, start + headWidth), expected)).toBeLessThanOrEqual(8);
        for (let i = 0; i < headWidth; i++) others.delete(start + i);
      }
    }
    // What belongs to no head keeps every bit.
    for (const at of others) expect(actual[at]).toBe(before[at]);
  });
});
