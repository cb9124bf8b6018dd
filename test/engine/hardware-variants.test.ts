import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { ForwardPass } from '../../src/engine/forward-pass.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { TuningOverrides } from '../../src/engine/gpu/tuning.ts';
import { MaxLogSoftmax } from '../../src/engine/log-softmax.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import { MatrixSource } from '../support/matrices.ts';
import { limitedGpu, loadAndRecord } from '../support/model-runs.ts';
import * as reference from '../support/reference.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** What a hardware GPU is given, whichever device runs the tests. */
const small: TuningOverrides = {
  lanes: 0,
  product: 'tiles',
  largeTilesFrom: Infinity,
  attention: 'wide',
  attentionDepth: 16,
  head: 'folded',
  jacobi: 'staged',
};
const large: TuningOverrides = { ...small, largeTilesFrom: 1 };

// Both families, layouts and sizes of tiles, packed weights. Kernels' own tests take the rest; each pipeline compiles long.
describe.each([
  ['gpt2-f16', small],
  ['neox-f32-sequential', large],
] as const)('%s', (name, tuning) => {
  test('kernels for hardware agree with Hugging Face, lm_head folded in the product', async () => {
    using forced = limitedGpu(gpu, { tuning });
    const golden = await readGolden(name);
    const ids = golden.sequences.map((sequence) => sequence.ids);
    const run = await loadAndRecord(forced, goldenFiles(name), ids);
    const tokens = ids[0]!.length;
    const width = run.residualFinal.length / (tokens * ids.length);
    golden.sequences.forEach((sequence, index) => {
      for (const [layer, state] of run.hiddenStates.entries()) {
        const size = tokens * width;
        const actual = state.subarray(index * size, (index + 1) * size);
        const expected = sequence.hiddenStates.subarray(layer * size, (layer + 1) * size);
        expect(relativeDistance(actual, expected), `state ${layer}`).toBeLessThanOrEqual(1e-6 * (layer + 4));
      }
      expect(largestDifference(run.maxLogSoftmax![index]!, sequence.maxLogSoftmax)).toBeLessThanOrEqual(1e-4);
    });
    // The tokens of the maxima are those that logits give.
    using plain = limitedGpu(gpu, {});
    const { argmax } = await loadAndRecord(plain, goldenFiles(name), ids);
    expect(run.argmax).toEqual(argmax);
  });
});

test('operands that are not whole vec4s take the kernel that reads single elements', async () => {
  using forced = limitedGpu(gpu, { tuning: small });
  using pass = new ForwardPass(forced, 1, 3, 5);
  const source = new MatrixSource(7);
  const [input, weight] = [source.random(3, 5), source.random(5, 7)];
  using rows = gpu.upload('rows', [3, 5], input);
  using matrix = gpu.upload('matrix', [5, 7], weight);
  const output = pass.linear(rows, 'attended', { weight: matrix, layout: '[in, out]' });
  pass.submit();
  const { product } = reference.matrixProduct(input, weight, {
    rows: 3,
    inner: 5,
    columns: 7,
    transposed: false,
  });
  expect(largestDifference(await gpu.readFloats(output), product)).toBeLessThan(1e-5);
});

describe.each([
  ['64 × 64', small],
  ['128 × 128', large],
] as const)('lm_head folded in tiles of %s', (_, tuning) => {
  const [rows, width, vocabulary] = [70, 8, 300];

  async function fold(input: Float32Array, head: Float32Array, cuts: readonly number[]) {
    using forced = limitedGpu(gpu, { tuning });
    using states = gpu.upload('states', [rows, width], input);
    using softmax = new MaxLogSoftmax(forced, states);
    let first = 0;
    for (const tokens of cuts) {
      using slice = gpu.upload(
        'slice',
        [tokens, width],
        head.subarray(first * width, (first + tokens) * width),
      );
      await softmax.fold(slice, first);
      first += tokens;
    }
    expect(first).toBe(vocabulary);
    return await softmax.read();
  }

  test.each([[[300]], [[1, 299]], [[129, 128, 43]]])('slices of %j', async (cuts) => {
    const source = new MatrixSource(11);
    const input = source.random(rows, width);
    const head = source.random(vocabulary, width);
    // Every row of the head stands there again: in its own tile, and in another one.
    head.copyWithin(100 * width, 0, 100 * width);
    head.copyWithin(200 * width, 0, 100 * width);
    const { product } = reference.matrixProduct(input, head, {
      rows,
      inner: width,
      columns: vocabulary,
      transposed: true,
    });
    const expected = reference.maxLogSoftmax(Float32Array.from(product), rows, vocabulary);
    const { maxLogSoftmax, argmax } = await fold(input, head, cuts);
    expected.forEach(({ value, argmax: token }, row) => {
      expect(Math.abs(maxLogSoftmax[row]! - value)).toBeLessThan(1e-5);
      expect(token).toBeLessThan(100);
      expect(argmax[row]).toBe(token);
    });
  });

  test('a logit that is not a number is found', async () => {
    const source = new MatrixSource(12);
    const input = source.random(rows, width);
    input[66 * width] = NaN;
    await expect(fold(input, source.random(vocabulary, width), [300])).rejects.toThrow(/token 66/);
  });
});
