import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { layerNorm } from '../../../src/engine/kernels.ts';
import { Deviations } from '../../support/deviations.ts';
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

// What a software GPU takes for a row, and what a hardware GPU does; both are right.
describe.each([4, 8, 64])('%i threads', (threads) => {
  /**
   * @returns the largest |error| / (|normalised · weight| + |bias|), in units of 2⁻²⁴
   */
  async function worstError(
    input: Float32Array,
    weight: Float32Array,
    bias: Float32Array,
    epsilon = 1e-5,
  ): Promise<number> {
    const width = weight.length;
    const rows = input.length / width;
    const { output } = await runKernel(gpu, layerNorm, {
      buffers: { input, weight, bias, output: poison(input.length) },
      uniforms: { rows, width, epsilon },
      constants: { threads },
      workgroups: [rows],
    });
    const actual = new Float32Array(output);
    const expected = reference.layerNorm(input, weight, bias, Math.fround(epsilon));
    let worst = 0;
    expected.forEach((value, index) => {
      const added = Math.abs(bias[index % width]!);
      const scale = (Math.abs(value - bias[index % width]!) + added) * 2 ** -24 || Number.MIN_VALUE;
      const error = Math.abs(actual[index]! - value) / scale;
      if (!(error <= worst)) worst = error;
    });
    return worst;
  }

  const ones = (width: number) => new Float32Array(width).fill(1);
  const zeros = (width: number) => new Float32Array(width);

  test.each([
    [1, 1],
    [3, 5],
    [17, 65],
    [70, 129],
    [1, 768],
    [2, 1600],
  ])('%i rows of %i', async (rows, width) => {
    const source = new MatrixSource(rows + width);
    const input = source.random(rows, width);
    const error = await worstError(input, source.random(1, width), source.random(1, width));
    // A row's smallest elements lose what the mean's last bits cancel: the error is measured against each by itself.
    expect(error).toBeLessThanOrEqual(64);
  });

  test.each([30, 3000, 30_000, 1e6])(
    'one element %f times the rest costs the rest nothing',
    async (factor) => {
      const width = 768;
      const input = new MatrixSource(7).random(1, width);
      input[103]! *= factor;
      const { output } = await runKernel(gpu, layerNorm, {
        buffers: { input, weight: ones(width), bias: zeros(width), output: poison(width) },
        uniforms: { rows: 1, width, epsilon: 1e-5 },
        constants: { threads },
        workgroups: [1],
      });
      const actual = new Float32Array(output);
      const expected = reference.layerNorm(input, ones(width), zeros(width), Math.fround(1e-5));
      // The rest is measured by its own size, which is small after the norm, and the massive one by its.
      const rest = Math.hypot(...expected.filter((_, index) => index !== 103)) / Math.sqrt(width - 1);
      const deviations = new Deviations();
      expected.forEach((value, index) => {
        const scale = index === 103 ? Math.abs(value) : rest;
        deviations.check(actual[index]!, value, 8 * 2 ** -24 * scale, index);
      });
      expect(deviations.told).toEqual([]);
    },
  );

  test.each([10, 1000, 1e5])('a mean %f times the deviation', async (mean) => {
    const width = 640;
    // Elements are kept away from the mean, where their own relative error means nothing.
    const source = new MatrixSource(11);
    const input = source.random(4, width).map((x) => mean + x + 2 * Math.sign(x));
    expect(await worstError(input, ones(width), zeros(width))).toBeLessThanOrEqual(12);
  });

  test.each([0, 1, -3.7, 1e-20, 12345.678, 1e15])('constant rows of %f give the bias', async (constant) => {
    const source = new MatrixSource(13);
    const width = 129;
    const bias = source.random(1, width);
    const weight = source.random(1, width);
    const { output } = await runKernel(gpu, layerNorm, {
      buffers: {
        input: new Float32Array(3 * width).fill(constant),
        weight,
        bias,
        output: poison(3 * width),
      },
      uniforms: { rows: 3, width, epsilon: 1e-5 },
      constants: { threads },
      workgroups: [3],
    });
    const actual = new Float32Array(output);
    const deviations = new Deviations();
    actual.forEach((value, index) => {
      deviations.check(value, bias[index % width]!, 1e-6, index);
    });
    expect(deviations.told).toEqual([]);
  });

  test('epsilon counts where the variance is as small', async () => {
    const source = new MatrixSource(17);
    const input = source.random(3, 200).map((x) => 1e-3 * (x + 2 * Math.sign(x)));
    for (const epsilon of [1e-12, 1e-6, 1e-2]) {
      expect(await worstError(input, ones(200), zeros(200), epsilon)).toBeLessThanOrEqual(12);
    }
  });
});
