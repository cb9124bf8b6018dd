import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { ForwardPass } from '../../src/engine/forward-pass.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { relativeDistance } from '../support/distance.ts';
import { goldenFiles } from '../support/golden.ts';
import { MatrixSource } from '../support/matrices.ts';
import { loadAndRecord } from '../support/model-runs.ts';
import { rebuiltFiles } from '../support/rebuilt-files.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/**
 * Rotary embedding of one head as transformers 5 writes it, in float64: r dimensions give ceil(r/2) frequencies
 * base^(−2i/r), which stand twice side by side, and as many dimensions turn.
 */
function rotateHead(head: readonly number[], position: number, r: number, base: number): number[] {
  const half = Math.ceil(r / 2);
  const turned = head.slice(0, 2 * half);
  const others = [...turned.slice(half).map((value) => -value), ...turned.slice(0, half)];
  const angles = turned.map((_, i) => position * base ** ((-2 * (i % half)) / r));
  return [
    ...turned.map((value, i) => value * Math.cos(angles[i]!) + others[i]! * Math.sin(angles[i]!)),
    ...head.slice(2 * half),
  ];
}

test.each([1, 2, 3, 5, 7, 8])('%i dimensions of heads of 8 turn as in transformers', async (dimensions) => {
  const [tokens, heads, headWidth, base] = [9, 3, 8, 50] as const;
  const stride = 3 * heads * headWidth;
  const values = new MatrixSource(7).random(tokens, stride);
  using pass = new ForwardPass(gpu, 1, tokens, heads * headWidth);
  using tensor = gpu.upload('queries, keys, values', [tokens, stride], values);
  const layout = { heads, headWidth, headStride: 3 * headWidth, keyOffset: headWidth };
  pass.rotate(tensor, { ...layout, dimensions, base });
  pass.submit();
  const expected = Array.from({ length: tokens * 3 * heads }, (_, index) => {
    const head = Array.from(values.subarray(index * headWidth, (index + 1) * headWidth));
    const isValue = index % 3 === 2;
    return isValue ? head : rotateHead(head, Math.floor(index / (3 * heads)), dimensions, base);
  }).flat();
  expect(relativeDistance(await gpu.readFloats(tensor), expected)).toBeLessThanOrEqual(3e-7);
});

test('a model whose heads do not turn runs, and so does one with an odd number of dimensions', async () => {
  const ids = Int32Array.of(5, 6, 7, 5);
  const states = async (rotary_pct: number) => {
    const files = await rebuiltFiles(goldenFiles('neox-f32-sequential'), ({ config }) => {
      Object.assign(config, { rotary_pct });
    });
    return (await loadAndRecord(gpu, files, [ids])).hiddenStates[3]!;
  };
  const [none, one, two] = [await states(0), await states(1 / 16), await states(2 / 16)];
  expect(none).not.toEqual(two);
  // One dimension and two have the same only frequency: 1.
  expect(one).toEqual(two);
});
