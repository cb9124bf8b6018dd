import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { foldLogSoftmax } from '../../../src/engine/kernels.ts';
import { joinSums } from '../../../src/engine/logit-sums.ts';
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
describe.each([4, 8, 128])('%i threads', (threads) => {
  /** Folds the columns of logits [rows, columns] tile by tile; what the first tile finds in the buffers is NaN. */
  async function fold(
    logits: Float32Array,
    rows: number,
    tiles: readonly number[],
  ): Promise<{ value: number; argmax: number }[]> {
    const columns = logits.length / rows;
    let maximum: ArrayBufferView = poison(3 * rows);
    let sum: ArrayBufferView = poison(3 * rows);
    let argmax: ArrayBufferView = new Uint32Array(rows).fill(0xffffffff);
    let firstToken = 0;
    for (const width of tiles) {
      const tile = Float32Array.from({ length: rows * width }, (_, at) => {
        return logits[Math.floor(at / width) * columns + firstToken + (at % width)]!;
      });
      const result = await runKernel(gpu, foldLogSoftmax, {
        buffers: { logits: tile, maximum, sum, argmax },
        uniforms: { rows, columns: width, firstToken },
        constants: { threads },
        workgroups: [rows],
      });
      maximum = new Float32Array(result.maximum);
      sum = new Float32Array(result.sum);
      argmax = new Uint32Array(result.argmax);
      firstToken += width;
    }
    expect(firstToken).toBe(columns);
    const { sums } = joinSums(maximum as Float32Array, sum as Float32Array);
    return [...sums].map((total, row) => ({
      value: -Math.log(total),
      argmax: (argmax as Uint32Array)[row]!,
    }));
  }

  async function worstError(logits: Float32Array, rows: number, tiles: readonly number[]): Promise<number> {
    const actual = await fold(logits, rows, tiles);
    const expected = reference.maxLogSoftmax(logits, rows, logits.length / rows);
    expect(actual.map(({ argmax }) => argmax)).toEqual(expected.map(({ argmax }) => argmax));
    return expected.reduce((worst, { value }, row) => {
      const error = Math.abs(actual[row]!.value - value);
      return error <= worst ? worst : error;
    }, 0);
  }

  test.each([
    [1, [1]],
    [1, [1, 1, 1]],
    [3, [5, 7]],
    [17, [33, 65, 2]],
    [4, [127, 128, 129]],
    [2, [1000, 307]],
    [2, [30_000]],
  ])('%i rows, tiles of %j', async (rows, tiles) => {
    const columns = tiles.reduce((sum, width) => sum + width, 0);
    const logits = new MatrixSource(columns).random(rows, columns).map((x) => 4 * x);
    expect(await worstError(logits, rows, tiles)).toBeLessThan(2e-6);
  });

  test.each([1e-30, 1e4, 1e30])('logits of magnitude %f', async (magnitude) => {
    const logits = new MatrixSource(3).random(5, 200).map((x) => magnitude * x);
    expect(await worstError(logits, 5, [90, 110])).toBeLessThan(2e-6);
  });

  test('the bits do not depend on where tiles begin and end', async () => {
    const [rows, columns] = [3, 9001];
    const logits = new MatrixSource(9).random(rows, columns).map((x) => 6 * x);
    const once = await fold(logits, rows, [columns]);
    const pieces = [[1, 62, 1, 64, 3, 4096, 4774], [4095, 4906], Array<number>(9).fill(1000).concat(1)];
    for (const tiles of pieces) expect(await fold(logits, rows, tiles)).toEqual(once);
  });

  test.each([NaN, Infinity])('a logit of %f does not pass for a number', async (value) => {
    for (const at of [0, 70, 199]) {
      const logits = new MatrixSource(5).random(1, 200);
      logits[at] = value;
      const [row] = await fold(logits, 1, [130, 70]);
      expect(Number.isFinite(row!.value)).toBe(false);
    }
  });

  test('logits far below zero', async () => {
    const logits = new MatrixSource(4).random(5, 200).map((x) => Math.fround(x) - 65_536);
    expect(await worstError(logits, 5, [150, 50])).toBeLessThan(2e-6);
  });

  test('of equal logits the lowest token wins, within a tile and across tiles', async () => {
    const rows = 6;
    const columns = 300;
    const logits = new Float32Array(rows * columns).fill(-2);
    const winners = [0, 5, 129, 131, 140, 299];
    winners.forEach((winner, row) => {
      // Ties at later tokens of the same tile, of the same thread (128 on) and of the next tiles.
      for (const later of [0, 1, 10, 128, 150]) {
        if (winner + later < columns) logits[row * columns + winner + later] = 3;
      }
    });
    expect(await worstError(logits, rows, [140, 1, 159])).toBeLessThan(1e-6);
    const actual = await fold(logits, rows, [300]);
    expect(actual.map(({ argmax }) => argmax)).toEqual(winners);
  });

  test('all logits equal: minus the logarithm of their number, and token 0', async () => {
    for (const [value, columns] of [
      [7, 1],
      [-3.4e38, 150],
      [0, 257],
    ] as const) {
      const logits = new Float32Array(columns).fill(value);
      const [row] = await fold(logits, 1, columns > 100 ? [100, columns - 100] : [columns]);
      expect(row!.argmax).toBe(0);
      expect(Math.abs(row!.value + Math.log(columns))).toBeLessThan(1e-6);
    }
  });
});
