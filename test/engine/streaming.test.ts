import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import { DeviceError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { limitedGpu, loadAndRecord, recordRun, streamingLimit } from '../support/model-runs.ts';
import type { RecordedRun } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const cases = ['gpt2-inverse-layer-scale', 'gpt2-f16', 'neox-bf16-sharded', 'neox-f32-sequential'] as const;

async function idsOf(name: GoldenCase, tokens?: number): Promise<Int32Array> {
  return (await readGolden(name)).sequences[0]!.ids.slice(0, tokens);
}

function expectSameStates(actual: RecordedRun, expected: RecordedRun): void {
  expect(actual.hiddenStates).toEqual(expected.hiddenStates);
  expect(actual.residualFinal).toEqual(expected.residualFinal);
  expect(actual.argmax).toEqual(expected.argmax);
  expect(actual.maxLogSoftmax).toEqual(expected.maxLogSoftmax);
}

describe.each(cases)('%s', (name) => {
  test('streams through little memory with the same states, bit for bit', async () => {
    const ids = await idsOf(name, 17);
    const resident = await loadAndRecord(gpu, goldenFiles(name), [ids]);
    expect(resident.isResident).toBe(true);

    const memoryLimit = await streamingLimit(gpu, goldenFiles(name));
    using limited = limitedGpu(gpu, { memoryLimit });
    const description = await describeModel(goldenFiles(name));
    const model = await Model.load(limited, description);
    expect(model.isResident).toBe(false);
    const atRest = limited.allocatedBytes;
    expectSameStates(await recordRun(model, [ids]), resident);
    expect(limited.allocatedBytes).toBe(atRest);
    // A second run streams again, and gives the same again.
    expectSameStates(await recordRun(model, [ids]), resident);
    expect(limited.allocatedBytes).toBe(atRest);
    expect(limited.peakBytes).toBeLessThanOrEqual(memoryLimit);
    model.dispose();
    expect(limited.allocatedBytes).toBe(0);
    await description.close();
  });
});

test.each(['gpt2-f16', 'neox-f32-sequential'] as const)(
  '%s: every limit either suffices, and is kept, or is refused by name; nothing leaks',
  async (name) => {
    const ids = await idsOf(name, 9);
    const resident = await loadAndRecord(gpu, goldenFiles(name), [ids]);
    using generous = limitedGpu(gpu, { memoryLimit: await streamingLimit(gpu, goldenFiles(name)) });
    await loadAndRecord(generous, goldenFiles(name), [ids]);
    const enough = generous.peakBytes;
    const sufficient: number[] = [];
    const refused: number[] = [];
    for (let limit = enough; limit > 0; limit -= 4 * Math.ceil(enough / 48)) {
      using limited = limitedGpu(gpu, { memoryLimit: limit });
      try {
        expectSameStates(await loadAndRecord(limited, goldenFiles(name), [ids]), resident);
        sufficient.push(limit);
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        expect(error.message).toContain('raise memoryLimit');
        refused.push(limit);
      }
      expect(limited.peakBytes).toBeLessThanOrEqual(limit);
      expect(limited.allocatedBytes).toBe(0);
    }
    expect(Math.min(...sufficient)).toBeGreaterThan(Math.max(...refused));
    // With no room to load ahead, one block and the activations are enough.
    expect(Math.min(...sufficient)).toBeLessThan(0.75 * enough);
  },
);

test('a batch gives what its sequences give alone', async () => {
  for (const name of ['gpt2-inverse-layer-scale', 'neox-bf16-sharded'] as const) {
    const ids = await idsOf(name, 11);
    const batch = [ids, ids.toReversed(), ids.map((id) => (7 * id + 1) % 307)];
    const together = await loadAndRecord(gpu, goldenFiles(name), batch);
    for (const [index, sequence] of batch.entries()) {
      const alone = await loadAndRecord(gpu, goldenFiles(name), [sequence]);
      const cut = (state: Float32Array) => {
        const size = state.length / batch.length;
        return state.subarray(index * size, (index + 1) * size);
      };
      expect(together.hiddenStates.map(cut)).toEqual(alone.hiddenStates);
      expect(cut(together.residualFinal)).toEqual(alone.residualFinal);
      expect(together.maxLogSoftmax![index]).toEqual(alone.maxLogSoftmax![0]);
      expect(together.argmax![index]).toEqual(alone.argmax![0]);
    }
  }
});

describe('an abort', () => {
  const reason = new Error('the user has seen enough');

  test.each([
    ['resident', false],
    ['streaming', true],
  ] as const)('while %s weights load frees them and rejects with the reason', async (_, streams) => {
    for (const name of cases) {
      const memoryLimit = streams ? await streamingLimit(gpu, goldenFiles(name)) : Infinity;
      using limited = limitedGpu(gpu, { memoryLimit });
      const description = await describeModel(goldenFiles(name));
      for (const calls of [0, 1, 2]) {
        const controller = new AbortController();
        let progress = 0;
        const onProgress = () => {
          if (++progress === calls) controller.abort(reason);
        };
        if (calls === 0) controller.abort(reason);
        const load = Model.load(limited, description, { signal: controller.signal, onProgress });
        // Where the weights stream, load reads the final norm alone: its second and last tensor ends it.
        if (streams && calls === 2) (await load).dispose();
        else await expect(load).rejects.toBe(reason);
        expect(limited.allocatedBytes).toBe(0);
      }
      await description.close();
    }
  });

  test.each([
    ['resident', false],
    ['streaming', true],
  ] as const)(
    'while a %s model runs rejects with the reason and leaves the model usable',
    async (_, streams) => {
      const name = 'gpt2-inverse-layer-scale';
      const memoryLimit = streams ? await streamingLimit(gpu, goldenFiles(name)) : Infinity;
      using limited = limitedGpu(gpu, { memoryLimit });
      const ids = await idsOf(name);
      const description = await describeModel(goldenFiles(name));
      const model = await Model.load(limited, description);
      const atRest = limited.allocatedBytes;
      const expected = await recordRun(model, [ids]);
      for (const step of [0, 1, 2, 3, 4]) {
        const controller = new AbortController();
        if (step === 0) controller.abort(reason);
        const onProgress = (done: number) => {
          if (done === step) controller.abort(reason);
        };
        const run = model.run([ids], { signal: controller.signal, onProgress });
        await expect(run, `at step ${step}`).rejects.toBe(reason);
        expect(limited.allocatedBytes).toBe(atRest);
      }
      for (const layer of [0, 1, 3]) {
        const controller = new AbortController();
        const onState = (state: { layer: number }) => {
          if (state.layer === layer) controller.abort(reason);
        };
        await expect(model.run([ids], { signal: controller.signal, onState })).rejects.toBe(reason);
        expect(limited.allocatedBytes).toBe(atRest);
      }
      const failing = model.run([ids], { onState: () => Promise.reject(reason) });
      await expect(failing).rejects.toBe(reason);
      expectSameStates(await recordRun(model, [ids]), expected);
      model.dispose();
      expect(limited.allocatedBytes).toBe(0);
      await description.close();
    },
  );
});
