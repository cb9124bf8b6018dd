import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { attentionPattern } from '../../../src/engine/hooks/kernels.ts';
import { Deviations } from '../../support/deviations.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

interface Case {
  readonly tokens: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headWidth: number;
  readonly scale: number;
}

/** Rows are queries | keys | values; the key head of a query head is shared by `heads / keyHeads` of them. */
function scoresOf(rows: Float32Array, { tokens, heads, keyHeads, headWidth, scale }: Case) {
  const stride = (heads + 2 * keyHeads) * headWidth;
  return (query: number, head: number): number[] =>
    Array.from({ length: tokens }, (_, key) => {
      let sum = 0;
      for (let d = 0; d < headWidth; d++) {
        const keyHead = Math.floor((head * keyHeads) / heads);
        sum +=
          rows[query * stride + head * headWidth + d]! *
          rows[key * stride + (heads + keyHead) * headWidth + d]!;
      }
      return scale * sum;
    });
}

function softmax(scores: readonly number[], seen: number): number[] {
  const most = Math.max(...scores.slice(0, seen));
  const weights = scores.map((score, key) => (key < seen ? Math.exp(score - most) : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

async function compute(
  rows: Float32Array,
  shape: Case,
  queries: readonly number[],
  heads: readonly number[],
  constants: { scored: number; normalised: number },
  pattern = poison(heads.length * queries.length * shape.tokens),
): Promise<Float32Array> {
  const { tokens, keyHeads, headWidth, scale } = shape;
  const result = await runKernel(gpu, attentionPattern, {
    buffers: { indices: Uint32Array.from([...queries, ...heads]), queryKeyValue: rows, pattern },
    uniforms: {
      queries: queries.length,
      tokens,
      headWidth,
      stride: (shape.heads + 2 * keyHeads) * headWidth,
      queryStride: headWidth,
      keyStride: headWidth,
      keyOffset: shape.heads * headWidth,
      group: shape.heads / keyHeads,
      scale,
      firstElement: 0,
    },
    constants,
    workgroups: [queries.length, heads.length],
  });
  return new Float32Array(result.pattern);
}

describe.each<Case>([
  { tokens: 1, heads: 1, keyHeads: 1, headWidth: 5, scale: 0.3 },
  { tokens: 150, heads: 3, keyHeads: 3, headWidth: 24, scale: 0.2 },
  { tokens: 65, heads: 6, keyHeads: 2, headWidth: 40, scale: 0.15 },
  // Scores of 1e5 and beyond, as in Pythia.
  { tokens: 70, heads: 2, keyHeads: 1, headWidth: 64, scale: 4e4 },
])('$tokens tokens, $heads heads over $keyHeads, scale $scale', (shape) => {
  const { tokens, heads, keyHeads, headWidth } = shape;
  const rows = new MatrixSource(tokens).random(tokens, (heads + 2 * keyHeads) * headWidth);
  const scores = scoresOf(rows, shape);
  const queries = [...new Set([0, 3, 63, 64, tokens - 1].filter((query) => query < tokens))];
  const chosen = heads > 1 ? [0, heads - 1] : [0];

  test('rows of scores and of the pattern', async () => {
    const found = await compute(rows, shape, queries, chosen, { scored: 1, normalised: 0 });
    const pattern = await compute(rows, shape, queries, chosen, { scored: 1, normalised: 1 });
    const largest = Math.max(
      ...chosen.flatMap((head) => queries.flatMap((query) => scores(query, head).map(Math.abs))),
    );
    const deviations = new Deviations();
    chosen.forEach((head, j) => {
      queries.forEach((query, i) => {
        const start = (j * queries.length + i) * tokens;
        const expected = scores(query, head);
        // What rounding a score does to its weight.
        const tolerance = 1e-6 + Math.min(1, 4e-7 * largest);
        softmax(expected, query + 1).forEach((weight, key) => {
          if (key > query) {
            deviations.check(found[start + key]!, Math.fround(-3.4028234663852886e38), 0, query, key);
            deviations.check(pattern[start + key]!, 0, 0, query, key);
            return;
          }
          deviations.check(found[start + key]!, expected[key]!, 1e-6 * largest, query, key);
          deviations.check(pattern[start + key]!, weight, tolerance, query, key);
        });
        const sum = pattern.subarray(start, start + tokens).reduce((total, weight) => total + weight, 0);
        deviations.check(sum, 1, 1e-5, query);
      });
    });
    expect(deviations.told).toEqual([]);
  });

  test('scores that are there already, whatever stands at keys that are not seen', async () => {
    const given = new MatrixSource(3).random(chosen.length * queries.length, tokens);
    const pattern = await compute(
      rows,
      shape,
      queries,
      chosen,
      { scored: 0, normalised: 1 },
      new Float32Array(given),
    );
    const deviations = new Deviations();
    chosen.forEach((_, j) => {
      queries.forEach((query, i) => {
        const start = (j * queries.length + i) * tokens;
        softmax(Array.from(given.subarray(start, start + tokens)), query + 1).forEach((weight, key) => {
          deviations.check(pattern[start + key]!, weight, 1e-6, query, key);
        });
      });
    });
    expect(deviations.told).toEqual([]);
  });
});
