import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { ForwardPass } from '../../../src/engine/forward-pass.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { rotaryTables } from '../../../src/engine/rotary.ts';
import type { RotaryScaling } from '../../../src/engine/rotary.ts';
import { Deviations } from '../../support/deviations.ts';
import { largestDifference } from '../../support/distance.ts';
import { MatrixSource } from '../../support/matrices.ts';
import * as reference from '../../support/reference.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

describe.each([
  ['GPT-NeoX', reference.neoxHeads],
  ['GPT-2', reference.gpt2Heads],
  ['Llama', (heads: number, headWidth: number) => reference.groupedHeads(2 * heads, heads, headWidth)],
] as const)('heads as %s lays them', (_, layoutOf) => {
  test.each([
    { tokens: 1, heads: 1, headWidth: 2, dimensions: 2 },
    { tokens: 5, heads: 3, headWidth: 7, dimensions: 4 },
    { tokens: 33, heads: 2, headWidth: 16, dimensions: 16 },
    { tokens: 17, heads: 5, headWidth: 80, dimensions: 20 },
    { tokens: 3, heads: 2, headWidth: 256, dimensions: 256 },
  ])('$tokens tokens, $heads heads of $headWidth, $dimensions rotated', async (shape) => {
    const { tokens, heads, headWidth, dimensions } = shape;
    const layout = layoutOf(heads, headWidth);
    const stride = reference.rowOf(layout);
    const source = new MatrixSource(tokens);
    const sequences = [source.random(tokens, stride), source.random(tokens, stride)];
    using pass = new ForwardPass(gpu, 2, tokens, heads * headWidth);
    const rows = Float32Array.from(sequences.flatMap((sequence) => [...sequence]));
    using tensor = gpu.upload('queries, keys and values', [2 * tokens, stride], rows);
    pass.rotate(tensor, { ...layout, dimensions, base: 10_000 });
    pass.submit();
    const actual = await gpu.readFloats(tensor);
    for (const [index, sequence] of sequences.entries()) {
      const rotated = actual.subarray(index * sequence.length, (index + 1) * sequence.length);
      const expected = reference.rotary(sequence, tokens, layout, dimensions, 10_000);
      // Angles are float32, as the reference's are: at position 32 they are good to 2e-6.
      expect(largestDifference(rotated, expected)).toBeLessThan(1e-5);
      // What is not rotated keeps every bit.
      const kept = new Deviations();
      expected.forEach((value, at) => {
        if (value === sequence[at]) kept.check(rotated[at]!, value, 0, at);
      });
      expect(kept.told).toEqual([]);
    }
  });
});

test('the tables hold cos and sin of position · base^(−2i/d), angles rounded to float32', () => {
  const { cosines, sines } = rotaryTables(2048, { dimensions: 32, base: 10_000 });
  const deviations = new Deviations();
  for (let position = 0; position < 2048; position += 89) {
    for (let pair = 0; pair < 16; pair++) {
      const angle = position * 10_000 ** (-pair / 16);
      const tolerance = 2 ** -24 * (3 * angle + 1);
      deviations.check(cosines[position * 16 + pair]!, Math.cos(angle), tolerance, 'cos', position, pair);
      deviations.check(sines[position * 16 + pair]!, Math.sin(angle), tolerance, 'sin', position, pair);
    }
  }
  expect(deviations.told).toEqual([]);
});

/** The frequencies as transformers' modeling_rope_utils defines them, in float64. */
function frequencyOf(pair: number, dimensions: number, base: number, scaling: RotaryScaling): number {
  const frequency = base ** ((-2 * pair) / dimensions);
  if (scaling.type === 'linear') return frequency / scaling.factor;
  const { factor, lowFactor, highFactor, context } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < context / highFactor) return frequency;
  if (wavelength > context / lowFactor) return frequency / factor;
  const s = (context / wavelength - lowFactor) / (highFactor - lowFactor);
  return ((1 - s) * frequency) / factor + s * frequency;
}

test.each([
  [{ type: 'linear', factor: 4 }, 32, 10_000],
  // Llama 3.1's own, in which all three kinds of frequencies are met.
  [{ type: 'llama3', factor: 8, lowFactor: 1, highFactor: 4, context: 8192 }, 128, 500_000],
  [{ type: 'llama3', factor: 32, lowFactor: 1, highFactor: 4, context: 64 }, 16, 500_000],
] as const)('scaled tables: %o', (scaling, dimensions, base) => {
  const half = dimensions / 2;
  const { cosines, sines } = rotaryTables(4096, { dimensions, base, scaling });
  const deviations = new Deviations();
  for (let position = 0; position < 4096; position += 173) {
    for (let pair = 0; pair < half; pair++) {
      const angle = position * frequencyOf(pair, dimensions, base, scaling);
      // Rounded at each step of the blend, as the reference is.
      const tolerance = 2 ** -24 * (8 * angle + 1);
      deviations.check(cosines[position * half + pair]!, Math.cos(angle), tolerance, 'cos', position, pair);
      deviations.check(sines[position * half + pair]!, Math.sin(angle), tolerance, 'sin', position, pair);
    }
  }
  expect(deviations.told).toEqual([]);
});
