import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { pickLogits, topTokens } from '../../../src/engine/kernels.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** Columns [first, end) of a matrix [rows, columns]. */
function tile(logits: Float32Array, rows: number, [first, end]: readonly [number, number]): Float32Array {
  const columns = logits.length / rows;
  return Float32Array.from(
    Array.from({ length: rows }, (_, row) =>
      Array.from(logits.subarray(row * columns + first, row * columns + end)),
    ).flat(),
  );
}

describe.each([8, 64])('%i threads', (threads) => {
  test.each<[string, number, number, number[]]>([
    ['one tile', 5, 3, [40]],
    ['tiles of any size', 9, 4, [3, 70, 1, 64]],
    ['as many as there are', 30, 2, [7, 23]],
    ['the longest list', 256, 1, [200, 300]],
  ])('%s: %i of the largest', async (_, top, rows, sizes) => {
    const columns = sizes.reduce((sum, size) => sum + size, 0);
    const random = new MatrixSource(columns).random(rows, columns);
    // Few different values, so that many are equal: the lowest token comes first.
    for (const logits of [
      random,
      random.map((value) => Math.round(2 * value)),
      new Float32Array(rows * columns),
    ]) {
      let values: ArrayBufferView = poison(rows * top);
      let tokens: ArrayBufferView = new Int32Array(rows * top).fill(12345);
      let first = 0;
      for (const size of sizes) {
        const result = await runKernel(gpu, topTokens, {
          buffers: { logits: tile(logits, rows, [first, first + size]), values, tokens },
          uniforms: { rows, columns: size, firstToken: first, top },
          constants: { threads },
          workgroups: [rows],
        });
        values = new Float32Array(result.values);
        tokens = new Int32Array(result.tokens);
        first += size;
      }
      for (let row = 0; row < rows; row++) {
        const of = logits.subarray(row * columns, (row + 1) * columns);
        const best = Array.from(of, (__, token) => token).sort((a, b) => of[b]! - of[a]! || a - b);
        const list = (tokens as Int32Array).subarray(row * top, (row + 1) * top);
        expect([...list]).toEqual(best.slice(0, top));
        expect([...(values as Float32Array).subarray(row * top, (row + 1) * top)]).toEqual(
          best.slice(0, top).map((token) => of[token]),
        );
      }
    }
  });
});

test('each row picks its own token, from the tile that has it', async () => {
  const [rows, columns] = [70, 11];
  const logits = new MatrixSource(4).random(rows, columns);
  const targets = Int32Array.from({ length: rows }, (_, row) => (row === 5 ? -1 : 100 + ((7 * row) % 30)));
  const { picked } = await runKernel(gpu, pickLogits, {
    buffers: { logits, targets, picked: poison(rows) },
    uniforms: { rows, columns, firstToken: 105 },
    workgroups: [Math.ceil(rows / 64)],
  });
  new Float32Array(picked).forEach((value, row) => {
    const column = targets[row]! - 105;
    const isHere = column >= 0 && column < columns;
    expect(value).toEqual(isHere ? logits[row * columns + column] : NaN);
  });
});
