import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { compareLogits } from '../../../src/engine/kernels.ts';
import { changeOf } from '../../../src/engine/logit-sums.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test('compares rows with the originals, tile after tile, whatever all tokens of a row share', async () => {
  const [originals, rows, vocabulary] = [3, 6, 217];
  const source = new MatrixSource(3);
  const all = source.random(originals + rows, vocabulary);
  const logit = (row: number, token: number) => {
    const own = 5 * all[row * vocabulary + token]!;
    const original = 5 * all[(row % originals) * vocabulary + token]!;
    if (row < originals) return Math.fround(own);
    // The first rows change a little, the others altogether; all of them are shifted far away.
    return Math.fround(row < 2 * originals ? original + 0.01 * own - 30 : own + 80);
  };
  let sums = poison(9 * rows);
  for (const [firstToken, columns] of [
    [0, 70],
    [70, 1],
    [71, 146],
  ] as const) {
    const logits = Float32Array.from({ length: (originals + rows) * columns }, (_, index) =>
      logit(Math.floor(index / columns), firstToken + (index % columns)),
    );
    // In two dispatches, as many rows as one may have being too few.
    for (const [firstRow, count] of [
      [0, 4],
      [4, 2],
    ] as const) {
      const run = await runKernel(gpu, compareLogits, {
        buffers: { logits, sums },
        uniforms: { originals, columns, firstToken, firstRow },
        workgroups: [count],
      });
      sums = new Float32Array(run.sums);
    }
  }
  const { divergence, largest } = changeOf(sums, rows);
  const lse = (row: number) => {
    let [top, sum] = [-Infinity, 0];
    for (let token = 0; token < vocabulary; token++) top = Math.max(top, logit(row, token));
    for (let token = 0; token < vocabulary; token++) sum += Math.exp(logit(row, token) - top);
    return top + Math.log(sum);
  };
  for (let row = 0; row < rows; row++) {
    const [a, b] = [row % originals, originals + row];
    let [expected, change] = [0, 0];
    for (let token = 0; token < vocabulary; token++) {
      const p = logit(a, token) - lse(a);
      const difference = p - (logit(b, token) - lse(b));
      expected += Math.exp(p) * difference;
      change = Math.max(change, Math.abs(difference));
    }
    // A small divergence is right to the rounding of the logits, 3e-6, times their change.
    expect(Math.abs(divergence[row]! - expected), `${expected}`).toBeLessThan(
      row < originals ? 1e-7 : 1e-6 * expected,
    );
    expect(Math.abs(largest[row]! - change)).toBeLessThan(3e-5 * (1 + change));
  }
});
