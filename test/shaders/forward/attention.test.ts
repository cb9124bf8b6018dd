import { afterAll, describe, expect, test } from 'vitest';
import { casesHere, openTestGpu } from '#platform';
import { attentionOf } from '../../../src/engine/attention.ts';
import { ForwardPass } from '../../../src/engine/forward-pass.ts';
import { largestDifference } from '../../support/distance.ts';
import { MatrixSource } from '../../support/matrices.ts';
import * as reference from '../../support/reference.ts';
import type { Heads } from '../../support/reference.ts';
import { limitedGpu } from '../../support/model-runs.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';
import { attentionVariants } from '../../support/variants.ts';

const gpu = await openTestGpu();
afterAll(() => {
  gpu.dispose();
});

const layouts = [
  ['GPT-2', reference.gpt2Heads],
  ['GPT-NeoX', reference.neoxHeads],
  [
    'heads in threes',
    (heads: number, headWidth: number) => reference.groupedHeads(3 * heads, heads, headWidth),
  ],
  ['one key for all', (heads: number, headWidth: number) => reference.groupedHeads(heads, 1, headWidth)],
] as const;

/** Random rows and what attention makes of them, once for all variants. */
const references = new Map<string, { rows: Float32Array; scale: number; expected: Float64Array }>();

function referenceOf(tokens: number, layout: Heads) {
  const key = JSON.stringify([tokens, layout]);
  let known = references.get(key);
  if (!known) {
    const rows = new MatrixSource(tokens + layout.headWidth).random(tokens, reference.rowOf(layout));
    const scale = Math.fround(1 / Math.sqrt(layout.headWidth));
    known = { rows, scale, expected: reference.attention(rows, tokens, layout, scale) };
    references.set(key, known);
  }
  return known;
}

describe.each(attentionVariants(gpu))('%s', (variant) => {
  const forced = { attention: variant, attentionDepth: 16 };
  // The kernel of `lanes` with twice as many threads: what their number changes is who takes which queries.
  const cases = <Case>(all: Case[], some: Case[], ofEight: Case[]): readonly Case[] =>
    variant === 'eight' ? ofEight : casesHere(all, some);

  async function attend(
    queryKeyValue: Float32Array,
    tokens: number,
    layout: Heads,
    scale: number,
    tuning = forced,
  ): Promise<Float32Array> {
    const { heads, keyValueHeads, headWidth } = layout;
    const [stride, groupSize] = [reference.rowOf(layout), heads / keyValueHeads];
    const { kernel, constants, queries } = attentionOf(tuning, headWidth);
    const { output } = await runKernel(gpu, kernel, {
      buffers: { queryKeyValue, output: poison(tokens * heads * headWidth) },
      uniforms: { tokens, ...layout, stride, groupSize, scale, firstInput: 0, firstOutput: 0 },
      constants,
      workgroups: [Math.ceil(tokens / queries), heads],
    });
    return new Float32Array(output);
  }

  /** The largest error of attention over random rows, whose values are near 1. */
  async function worstError(tokens: number, layout: Heads): Promise<number> {
    const { rows, scale, expected } = referenceOf(tokens, layout);
    return largestDifference(await attend(rows, tokens, layout, scale), expected);
  }

  describe.each(layouts)('%s', (_, layoutOf) => {
    test.each(cases([1, 2, 7, 8, 9, 15, 16, 17, 33, 64, 70], [1, 70], [1, 8, 9, 16, 17, 70]))(
      '%i tokens',
      async (tokens) => {
        expect(await worstError(tokens, layoutOf(3, 16))).toBeLessThan(2e-6);
      },
    );
  });

  test.each(cases([1, 8, 31, 32, 33, 64, 80, 256], [33, 64], [33]))(
    'heads of width %i',
    async (headWidth) => {
      // Where heads lie does not depend on their width: the layouts of different strides stand for all.
      for (const [, layoutOf] of [layouts[1], layouts[2]])
        expect(await worstError(35, layoutOf(2, headWidth))).toBeLessThan(2e-6);
    },
  );

  test('a long sequence', async () => {
    expect(await worstError(400, reference.neoxHeads(1, 64))).toBeLessThan(2e-6);
  });

  // Whole numbers keep the scores exact, so that the weights can be compared at any magnitude.
  test.each([-1e5, -3e6, 1e5])('scores about %f', async (offset) => {
    const tokens = 50;
    const layout = reference.gpt2Heads(2, 16);
    const source = new MatrixSource(3);
    const queryKeyValue = source.random(tokens, 96);
    for (let token = 0; token < tokens; token++) {
      for (let head = 0; head < 2; head++) {
        const first = token * 96 + head * 16;
        for (let d = 0; d < 16; d++) {
          queryKeyValue[first + d] = d === 0 ? offset / 100 : d === 1 ? 1 : 0;
          queryKeyValue[first + layout.keyOffset + d] = d === 0 ? 100 : Math.round(2 * source.normal());
        }
      }
    }
    const expected = reference.attention(queryKeyValue, tokens, layout, 1);
    const actual = await attend(queryKeyValue, tokens, layout, 1);
    expect(largestDifference(actual, expected)).toBeLessThan(2e-6);
    // The first token sees itself alone.
    for (let head = 0; head < 2; head++) {
      const start = layout.valueOffset + head * 16;
      const own = queryKeyValue.subarray(start, start + 16);
      expect(actual.subarray(head * 16, head * 16 + 16)).toEqual(own);
    }
  });

  test('a later token changes nothing before it', async () => {
    const tokens = 40;
    const layout = reference.neoxHeads(2, 16);
    const queryKeyValue = new MatrixSource(5).random(tokens, 96);
    const before = await attend(queryKeyValue, tokens, layout, 0.25);
    queryKeyValue.fill(1e30, 39 * 96);
    const after = await attend(queryKeyValue, tokens, layout, 0.25);
    expect(after.subarray(0, 39 * 32)).toEqual(before.subarray(0, 39 * 32));
  });

  test.each(layouts)('%s: the sequences of a batch do not see each other', async (_, layoutOf) => {
    // 7 rows of a few floats: no sequence but the first starts at a multiple of 256 bytes.
    const tokens = 7;
    const layout = { ...layoutOf(3, 16), scale: 0.5 };
    const width = layout.heads * layout.headWidth;
    const stride = reference.rowOf(layout);
    const source = new MatrixSource(19);
    const sequences = [1, 2, 3].map(() => source.random(tokens, stride));
    using limited = limitedGpu(gpu, { tuning: { attention: variant } });
    const run = async (batch: readonly Float32Array[]): Promise<Float32Array> => {
      using pass = new ForwardPass(limited, batch.length, tokens, width);
      const rows = Float32Array.from(batch.flatMap((sequence) => [...sequence]));
      using queryKeyValue = gpu.upload('queries, keys and values', [batch.length * tokens, stride], rows);
      const output = pass.attention(queryKeyValue, 'attended', layout);
      gpu.write(output.buffer, 0, poison(output.size));
      pass.submit();
      return gpu.readFloats(output);
    };
    const together = await run(sequences);
    for (const [index, sequence] of sequences.entries()) {
      const size = tokens * width;
      const actual = together.subarray(index * size, (index + 1) * size);
      expect(actual).toEqual(await run([sequence]));
      expect(largestDifference(actual, reference.attention(sequence, tokens, layout, 0.5))).toBeLessThan(
        2e-6,
      );
    }
    // The kernel's own third dimension does the same.
    const rows = Float32Array.from(sequences.flatMap((sequence) => [...sequence]));
    const { kernel, constants } = attentionOf(forced, layout.headWidth);
    const { output } = await runKernel(gpu, kernel, {
      buffers: { queryKeyValue: rows, output: poison(3 * tokens * width) },
      uniforms: {
        tokens,
        ...layout,
        stride,
        groupSize: layout.heads / layout.keyValueHeads,
        firstInput: 0,
        firstOutput: 0,
      },
      constants,
      workgroups: [1, layout.heads, 3],
    });
    expect(new Float32Array(output)).toEqual(together);
  });
});
