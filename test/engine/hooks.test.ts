import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { layerOf } from '../../src/engine/hooks.ts';
import { Model } from '../../src/engine/model.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';
import {
  activationCases,
  activationFiles,
  ofSequence,
  readActivations,
  sequenceNames,
} from '../support/golden-activations.ts';
import { recordRun } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

describe.each(activationCases)('%s', (name) => {
  test('gives every named activation of transformers, and leaves the states as they are bit for bit', async () => {
    const golden = await readActivations(name);
    const description = await describeModel(activationFiles(name));
    using model = await Model.load(gpu, description);
    const atRest = gpu.allocatedBytes;
    const plain = await recordRun(model, golden.ids);
    const run = await recordRun(model, golden.ids, { capture: ['*'] });
    expect(gpu.allocatedBytes).toBe(atRest);
    expect(run.hiddenStates).toEqual(plain.hiddenStates);
    expect(run.residualFinal).toEqual(plain.residualFinal);
    expect(run.maxLogSoftmax).toEqual(plain.maxLogSoftmax);

    const names = [...golden.activations.keys()].filter((key) => key.startsWith('a.') && key !== 'a.logits');
    expect([...run.activations.keys()].sort()).toEqual(names.map((key) => key.slice(2)).sort());
    const { layers } = description.config;
    for (const [hook, activation] of run.activations) {
      for (const [index, sequence] of sequenceNames.entries()) {
        const expected = golden.activations.get(`${sequence}.${hook}`)!;
        const { shape, values } = ofSequence(activation, index);
        expect(shape, hook).toEqual(expected.shape);
        const finite = expected.values.map((value) => (Number.isFinite(value) ? value : 0));
        const unseen = values.map((value) => (value === -Infinity ? 0 : value));
        const isUnseen = (value: number) => value === -Infinity;
        expect(
          Uint8Array.from(values, (value) => +isUnseen(value)),
          hook,
        ).toEqual(Uint8Array.from(expected.values, (value) => +isUnseen(value)));
        const layer = layerOf(hook) ?? (hook.startsWith('ln_final') ? layers : 0);
        const distance = relativeDistance(unseen, finite);
        expect(distance, `${sequence}.${hook}`).toBeLessThanOrEqual(1e-6 * (layer + 4));
        const largest = Math.max(...finite.map(Math.abs));
        expect(largestDifference(unseen, finite), hook).toBeLessThanOrEqual(1e-4 * largest);
      }
    }
    await description.close();
  });
});
