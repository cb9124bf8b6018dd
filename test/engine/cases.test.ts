import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu, readFixture } from '#platform';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';
import { fixtureFiles, readFixtureTensors } from '../support/fixture-files.ts';
import { loadAndRecord } from '../support/model-runs.ts';
import { activations } from '../support/reference.ts';
import { gpt2States } from '../support/reference-gpt2.ts';
import { rebuiltFiles } from '../support/rebuilt-files.ts';

/** Checkpoints as people have them, and what Hugging Face transformers answers: test/golden/cases. */
let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** What must be told of each on the way. */
const answered: Record<string, readonly RegExp[]> = {
  'gpt2-config-infinity': [],
  'gpt2-index-lists-tied-head': [],
  'gpt2-nan-unused-row': [/lm_head\.weight differs from transformer\.wte\.weight/],
  'gpt2-only-lm-head': [],
  'gpt2-orig-mod': [],
  'gpt2-tied-other-head': [/lm_head\.weight differs from transformer\.wte\.weight/],
  'gpt2-untied-no-head': [/has no head \(lm_head\.weight\); states are computed, and no logits/],
  'neox-lm-head-name': [],
  'neox-scaling-default': [],
};

describe.each(Object.keys(answered))('%s', (name) => {
  test('gives the states of transformers', async () => {
    const folder = `test/golden/cases/${name}`;
    const tensors = await readFixtureTensors(`${folder}/expected.safetensors`);
    const expected = (key: string) => (tensors.get(key) ?? tensors.get(`a.${key}`))?.values;
    const ids = expected('ids') as Int32Array;
    const run = await loadAndRecord(gpu, fixtureFiles(folder), [ids]);
    const states = expected('hidden_states') as Float32Array;
    expect(run.hiddenStates).toHaveLength(3);
    run.hiddenStates.forEach((state, layer) => {
      const answer = states.subarray(layer * state.length, (layer + 1) * state.length);
      expect(relativeDistance(state, answer), `state ${layer}`).toBeLessThanOrEqual(1e-6 * (layer + 4));
    });
    const residual = expected('residual_final') as Float32Array | undefined;
    if (residual) expect(relativeDistance(run.residualFinal, residual)).toBeLessThanOrEqual(6e-6);
    const softmax = expected('max_log_softmax') as Float32Array | undefined;
    if (softmax) expect(largestDifference(run.maxLogSoftmax![0]!, softmax)).toBeLessThanOrEqual(1e-4);
    expect(run.maxLogSoftmax === null).toBe(name === 'gpt2-untied-no-head');
    expect(run.notices).toHaveLength(answered[name]!.length);
    answered[name]!.forEach((notice, index) => expect(run.notices[index]).toMatch(notice));
  });
});

// By a float64 GPT-2 of the tests' own, which gelu_new holds against transformers' answers of the same weights.
test.each([
  ['gelu_new', 'gelu tanh', 1e-5],
  ['swish', 'silu', 1e-5],
  ['silu', 'silu', 0],
  ['quick_gelu', 'quick_gelu', 1e-5],
  ['relu2', 'relu2', 1e-5],
  ['mish', 'mish', 1e-12],
] as const)('a GPT-2 with %s is right', async (name, reference, epsilon) => {
  const folder = 'test/golden/cases/gpt2-swish';
  const tensors = await readFixtureTensors(`${folder}/model.safetensors`);
  const json = new TextDecoder().decode(await readFixture(`${folder}/ids.json`));
  const ids = Int32Array.from(JSON.parse(json) as number[]);
  const files = await rebuiltFiles(fixtureFiles(folder), ({ config }) => {
    config['activation_function'] = name;
    config['layer_norm_epsilon'] = epsilon;
  });
  const { hiddenStates } = await loadAndRecord(gpu, files, [ids]);
  const expected = gpt2States(tensors, ids, {
    heads: 4,
    layers: 2,
    epsilon,
    activation: activations[reference],
  });
  hiddenStates.forEach((state, layer) => {
    const answer = Float64Array.from(expected[layer]!.flat());
    expect(relativeDistance(state, answer), `state ${layer}`).toBeLessThanOrEqual(1e-6);
  });
  if (name !== 'gelu_new') return;
  const published = await readFixtureTensors('test/golden/cases/gpt2-config-infinity/expected.safetensors');
  expect(
    relativeDistance(published.get('hidden_states')!.values, Float64Array.from(expected.flat(2))),
  ).toBeLessThanOrEqual(1e-6);
});

test.each([
  ['gpt2-not-causal', /is_causal is false/],
  ['neox-gptq', /the weights are quantised \(quantization_config: gptq\)/],
] as const)('%s is refused by name', async (name, message) => {
  const folder = `test/golden/cases/${name}`;
  const ids = JSON.parse(new TextDecoder().decode(await readFixture(`${folder}/ids.json`))) as number[];
  const run = loadAndRecord(gpu, fixtureFiles(folder), [Int32Array.from(ids)]);
  await expect(run).rejects.toThrow(message);
  await expect(run).rejects.toThrow(/^[^\n]*$/);
});
