import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import { TinyNumbers } from '../../src/engine/tiny-numbers.ts';
import { goldenFiles } from '../support/golden.ts';
import { mapped, rebuiltFiles } from '../support/rebuilt-files.ts';

const bytesOf = (values: ArrayBufferView<ArrayBuffer>) => new Uint8Array(values.buffer);
const bf16 = (...values: number[]) =>
  bytesOf(Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16));

describe('TinyNumbers', () => {
  it.each([
    ['F32', bytesOf(Float32Array.of(0, 1e-39, -1e-45, 1e-38)), true],
    ['F32', bytesOf(Float32Array.of(1e-39, 0.5)), false],
    ['F32', bytesOf(Float32Array.of(1e-39, NaN)), false],
    ['F32', bytesOf(Float32Array.of(0, -0, 0)), false],
    ['F32', bytesOf(Float32Array.of(1.2e-38, 1e-32)), false],
    ['BF16', bf16(0, -1e-39), true],
    ['BF16', bf16(1e-39, -2), false],
    ['F64', bytesOf(Float64Array.of(1e-50, 0)), true],
    ['F64', bytesOf(Float64Array.of(1e-50, 1)), false],
    ['F16', bytesOf(Uint16Array.of(1, 0)), false],
  ])('%s %j: %s', (dtype, bytes, expected) => {
    const tiny = new TinyNumbers(dtype);
    tiny.look(bytes);
    expect(tiny.found).toBe(expected);
  });

  it('remembers what it saw, wherever the pieces lie in memory', () => {
    const tiny = new TinyNumbers('F32');
    const whole = bytesOf(Float32Array.of(0, 1e-39, 1e-40));
    tiny.look(whole.subarray(4, 8));
    expect(tiny.found).toBe(true);
    tiny.look(whole.subarray(0, 4));
    expect(tiny.found).toBe(true);
    tiny.look(bytesOf(Float32Array.of(1)));
    expect(tiny.found).toBe(false);
  });
});

describe('a model', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openTestGpu();
  });
  afterAll(() => {
    gpu.dispose();
  });

  it('whose weights a GPU may take for 0 is announced once', async () => {
    for (const isTiny of [true, false]) {
      const notices: string[] = [];
      const files = await rebuiltFiles(goldenFiles('gpt2-one-token'), ({ tensors }) => {
        for (const [name, tensor] of tensors) {
          if (isTiny && /mlp\.c_fc\.weight$/.test(name))
            tensors.set(
              name,
              mapped(tensor, (value) => value * 1e-40),
            );
        }
      });
      const description = await describeModel(files, { onNotice: (notice) => notices.push(notice) });
      const model = await Model.load(gpu, description);
      model.dispose();
      await description.close();
      expect(notices).toEqual(
        isTiny
          ? [
              expect.stringMatching(
                /^tensor \S*c_fc\.weight in .*normal range .*GPUs may treat all of them as 0$/,
              ),
            ]
          : [],
      );
    }
  });
});
