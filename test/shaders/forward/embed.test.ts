import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { embed } from '../../../src/engine/kernels.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { randomWeights, valueOfBrainFloat, valueOfHalf, weightFormats } from '../../support/packed.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** All 65536 bit patterns of a 16-bit format through the kernel, as one table of 256 rows. */
async function widenAll(weightFormat: number): Promise<Float32Array> {
  const { output } = await runKernel(gpu, embed, {
    buffers: {
      indices: Uint32Array.from({ length: 256 }, (_, row) => row),
      table: Uint16Array.from({ length: 65_536 }, (_, bits) => bits),
      output: poison(65_536),
    },
    uniforms: { rows: 256, width: 256, firstIndex: 0, firstRow: 0, tableRows: 256 },
    constants: { weightFormat },
    workgroups: [4, 256],
  });
  return new Float32Array(output);
}

test('every F16 pattern is widened exactly, subnormals too', async () => {
  const widened = await widenAll(1);
  const wrong = Array.from(widened.keys()).filter((bits) => !Object.is(widened[bits], valueOfHalf(bits)));
  expect(wrong).toEqual([]);
});

test('every finite BF16 pattern is widened exactly', async () => {
  const bits = new Uint32Array((await widenAll(2)).buffer);
  const wrong = Array.from(bits.keys()).filter(
    (pattern) => Number.isFinite(valueOfBrainFloat(pattern)) && bits[pattern] !== pattern * 65_536,
  );
  expect(wrong).toEqual([]);
});

describe.each(weightFormats)('a table of %s', (format) => {
  test.each([
    [1, 1, 1],
    [5, 3, 7],
    [33, 17, 65],
    [50, 70, 129],
  ])('of %i rows, %i of them looked up, %i wide', async (tableRows, rows, width) => {
    const source = new MatrixSource(tableRows);
    const { packed, values } = randomWeights(source, tableRows * width, format);
    // The batch's first index is the third of the buffer; the table's part begins at row 4 and some rows lie outside.
    const whole = tableRows + 6;
    const indices = Uint32Array.from({ length: 2 + rows }, () => Math.floor(source.uniform() * whole));
    for (const accumulate of [false, true]) {
      const before = accumulate ? source.random(rows, width) : poison(rows * width);
      const { output } = await runKernel(gpu, embed, {
        buffers: { indices, table: packed, output: before },
        uniforms: { rows, width, firstIndex: 2, firstRow: 4, tableRows },
        constants: { weightFormat: weightFormats.indexOf(format), accumulate: Number(accumulate) },
        workgroups: [Math.ceil(width / 64), rows],
      });
      const expected = before.map((previous, at) => {
        const row = indices[2 + Math.floor(at / width)]! - 4;
        if (row < 0 || row >= tableRows) return previous;
        return (accumulate ? previous : 0) + values[row * width + (at % width)]!;
      });
      expect(new Float32Array(output)).toEqual(expected);
    }
  });
});
