import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Components } from '../../../src/analysis/reduction/components.ts';
import { readCutLayers } from '../../../src/analysis/reduction/cut-layers.ts';
import { reduceSequences } from '../../../src/analysis/reduction/reduce-states.ts';
import type { Reductions } from '../../../src/analysis/reduction/reduce-states.ts';
import { reduceStates } from '../../../src/analysis/reduction/reduce-loaded-model.ts';
import { describeModel } from '../../../src/engine/description.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { LoadedModel } from '../../../src/engine/loaded-model.ts';
import { Model } from '../../../src/engine/model.ts';
import { activationFiles, readActivations, sequenceNames } from '../../support/golden-activations.ts';
import { readReductions, reductionCases } from '../../support/golden-reductions.ts';
import { limitedGpu, streamingLimit } from '../../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** ln softmax of each row of logits, in float64. */
function logSoftmax(logits: ArrayLike<number>, vocabulary: number): Float64Array {
  const result = Float64Array.from(logits);
  for (let first = 0; first < result.length; first += vocabulary) {
    const row = result.subarray(first, first + vocabulary);
    const largest = Math.max(...row);
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0);
    row.forEach((value, index) => (row[index] = value - largest - Math.log(sum)));
  }
  return result;
}

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(reductionCases)('%s', (name) => {
  const sweep = async (
    on: Gpu,
    components: readonly Components[],
  ): Promise<{ result: Reductions; model: Model; steps: number[] }> => {
    const { ids } = await readActivations(name);
    const description = await describeModel(activationFiles(name));
    try {
      using model = await Model.load(on, description);
      const atRest = on.allocatedBytes;
      const layers = readCutLayers('all', model.config.layers);
      const steps: number[] = [];
      const result = await reduceSequences(
        model,
        ids,
        { layers, components },
        { onProgress: (done, total) => steps.push(done / total) },
      );
      expect(on.allocatedBytes).toBe(atRest);
      return { result, model, steps };
    } finally {
      await description.close();
    }
  };

  test('a sweep over layers and components gives what transformers gives, in one pass or in many', async () => {
    const { ids } = await readActivations(name);
    const { sequences, tensors } = await readReductions(name);
    const { result, model } = await sweep(gpu, [1, '95%', 1000]);
    const { layers, vocabulary } = model.config;
    expect(result.cuts).toHaveLength(3 * 2 * (layers + 2));
    for (const [index, sequence] of sequenceNames.entries()) {
      const clean = tensors.get(`${sequence}.layer0.rfull.logits`)!;
      const before = logSoftmax(clean.values, vocabulary);
      expect(mean(result.loss![index]!)).toBeCloseTo(sequences[sequence]!.clean_mean_loss, 4);
      for (let block = 0; block < layers; block++) {
        for (const [asked, kept] of [
          [1, 'r1'],
          ['95%', 'r95'],
          [1000, 'rfull'],
        ] as const) {
          const layer = block < layers - 1 ? block + 1 : 'residual_final';
          const cut = result.cuts.find(
            (each) => each.sequence === index && each.layer === layer && each.asked === asked,
          )!;
          const expected = sequences[sequence]!.layers[block]![kept];
          expect(cut.components).toBe(expected.r);
          expect(mean(cut.loss!)).toBeCloseTo(expected.mean_loss, 4);
          const changes = cut.states.map((state) => state.relative_change!);
          const wanted = expected.relative_delta_of_resid_post_from_this_layer_on;
          expect(cut.states.map((state) => state.layer)).toEqual([
            ...Array.from({ length: layers - block - 1 }, (__, i) => block + 1 + i),
            'residual_final',
            layers,
          ]);
          for (const [later, change] of wanted.entries())
            expect(Math.abs(changes[later]! - change), `${layer} ${kept}`).toBeLessThan(2e-6);
          if (kept === 'rfull') {
            expect(changes.every((change) => change === 0)).toBe(true);
            expect(cut.logits!.argmaxAgreement).toBe(1);
            expect(Math.max(...cut.logits!.divergence)).toBeLessThan(1e-6);
            continue;
          }
          const after = logSoftmax(
            tensors.get(`${sequence}.layer${block}.${kept}.logits`)!.values,
            vocabulary,
          );
          const { divergence, largest, argmaxAgreement } = cut.logits!;
          let same = 0;
          for (let position = 0; position < ids[0]!.length; position++) {
            const range = [position * vocabulary, (position + 1) * vocabulary] as const;
            const [p, q] = [before.subarray(...range), after.subarray(...range)];
            const kl = p.reduce((sum, value, token) => sum + Math.exp(value) * (value - q[token]!), 0);
            const change = p.reduce((most, value, token) => Math.max(most, Math.abs(value - q[token]!)), 0);
            expect(Math.abs(divergence[position]! - kl)).toBeLessThan(2e-5 * (1 + kl));
            expect(Math.abs(largest[position]! - change)).toBeLessThan(2e-5 * (1 + change));
            same += Number(p.indexOf(Math.max(...p)) === q.indexOf(Math.max(...q)));
          }
          expect(argmaxAgreement).toBeCloseTo(same / ids[0]!.length, 10);
        }
      }
    }
    // The last state alone is cut after the norm: nothing follows it but the head.
    const last = result.cuts.filter(({ layer }) => layer === layers);
    expect(last.map(({ states }) => states.length)).toEqual(Array<number>(6).fill(1));

    // As little memory as will do: weights stream, and a few cuts run at a time.
    using tight = limitedGpu(gpu, { memoryLimit: await streamingLimit(gpu, activationFiles(name)) });
    const { result: again, model: streamed, steps } = await sweep(tight, ['95%']);
    expect(streamed.isResident).toBe(false);
    expect(new Set(steps).size).toBeGreaterThan(2 * (layers + 2));
    expect(steps.at(-1)).toBe(1);
    const same = result.cuts.filter(({ asked }) => asked === '95%');
    expect(again.cuts).toHaveLength(same.length);
    for (const [index, cut] of again.cuts.entries()) {
      const { layer, sequence, components, states, logits, loss } = same[index]!;
      expect([cut.layer, cut.sequence, cut.components]).toEqual([layer, sequence, components]);
      expect(cut.states).toEqual(states);
      expect(cut.logits).toEqual(logits);
      expect(cut.loss).toEqual(loss);
    }
  });
});

test('where weights stream, a model does one thing at a time, and nothing after its end', async () => {
  const [name] = reductionCases;
  const files = activationFiles(name!);
  const [ids] = (await readActivations(name!)).ids as [Int32Array];
  using tight = limitedGpu(gpu, { memoryLimit: await streamingLimit(gpu, files) });
  const model = await LoadedModel.open(files, { gpu: tight });
  expect(model.model.isResident).toBe(false);
  const reduce = () => reduceStates(model, ids.slice(0, 5), { layers: [1], components: [1] });
  const first = reduce();
  await expect(reduce()).rejects.toMatchObject({ code: 'busy' });
  await expect(model.run(ids)).rejects.toMatchObject({ code: 'busy' });
  expect((await first).cuts).toHaveLength(1);
  expect(await reduce()).toEqual(await first);
  await model[Symbol.asyncDispose]();
  await expect(reduce()).rejects.toMatchObject({ code: 'disposed' });
});
