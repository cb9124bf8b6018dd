import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../../src/engine/description.ts';
import { InputError } from '../../../src/engine/errors.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { Model } from '../../../src/engine/model.ts';
import { relativeDistance } from '../../support/distance.ts';
import type { GoldenCase } from '../../support/golden.ts';
import { goldenFiles, readGolden } from '../../support/golden.ts';
import { limitedGpu, loadAndRecord, streamingLimit } from '../../support/model-runs.ts';
import { rebuiltFiles } from '../../support/rebuilt-files.ts';
import { attentionVariants, productVariants } from '../../support/variants.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** One key/value head and every bias; three to a group of nine; norms of heads that are wider than their share. */
const cases = ['llama-biases-f32', 'smollm-tied', 'qwen3-tied'] as const satisfies GoldenCase[];

async function expectGolden(name: GoldenCase, on: Gpu, isResident = true): Promise<void> {
  const { sequences } = await readGolden(name);
  const ids = sequences.map((sequence) => sequence.ids);
  const run = await loadAndRecord(on, goldenFiles(name), ids);
  expect(run.isResident).toBe(isResident);
  run.hiddenStates.forEach((state, layer) => {
    const size = state.length / sequences.length;
    for (const [index, { hiddenStates }] of sequences.entries()) {
      const expected = hiddenStates.subarray(layer * size, (layer + 1) * size);
      const actual = state.subarray(index * size, (index + 1) * size);
      expect(relativeDistance(actual, expected), `${name}, state ${layer}`).toBeLessThanOrEqual(
        1e-6 * (layer + 4),
      );
    }
  });
}

// Both are BF16, so that each kernel is compiled once.
test.each(['smollm-tied', 'qwen3-tied'] as const)(
  '%s is the same with every variant of the kernels',
  async (name) => {
    const [attentions, products] = [attentionVariants(gpu), productVariants(gpu)];
    for (const [index, product] of products.entries()) {
      const attention = attentions[index % attentions.length]!;
      using forced = limitedGpu(gpu, { tuning: { attention, product } });
      await expectGolden(name, forced);
    }
  },
);

test.each(cases)('%s is the same where weights stream and are split over small bindings', async (name) => {
  const { sequences } = await readGolden(name);
  const description = await describeModel(goldenFiles(name));
  const { heads, keyValueHeads, headWidth } = description.config;
  await description.close();
  // One sequence's queries, keys and values must fit; nothing else needs as much.
  const bindingLimit = 4 * sequences[0]!.ids.length * (heads + 2 * keyValueHeads) * headWidth + 256;
  const memoryLimit = await streamingLimit(gpu, goldenFiles(name));
  using small = limitedGpu(gpu, { bindingLimit, memoryLimit });
  await expectGolden(name, small, false);
});

test('a rotary_emb.inv_freq in the file is not read, whatever it holds', async () => {
  const ids = (await readGolden('llama-biases-f32')).sequences[0]!.ids;
  const plain = await loadAndRecord(gpu, goldenFiles('llama-biases-f32'), [ids]);
  const files = await rebuiltFiles(goldenFiles('llama-biases-f32'), ({ tensors }) => {
    const bytes = new Uint8Array(new Float32Array(8).fill(NaN).buffer);
    for (const layer of [0, 1]) {
      tensors.set(`model.layers.${layer}.self_attn.rotary_emb.inv_freq`, { dtype: 'F32', shape: [8], bytes });
    }
  });
  const run = await loadAndRecord(gpu, files, [ids]);
  expect(run.hiddenStates).toEqual(plain.hiddenStates);
  expect(run.notices).toEqual([]);
});

test('a text longer than the sliding window is refused before it runs; one as long is not', async () => {
  const files = await rebuiltFiles(goldenFiles('llama-biases-f32'), ({ config }) => {
    Object.assign(config, { model_type: 'mistral', sliding_window: 6 });
  });
  const description = await describeModel(files);
  using model = await Model.load(gpu, description);
  await model.run([new Int32Array(6)]);
  await expect(model.run([new Int32Array(7)])).rejects.toThrow(InputError);
  await expect(model.run([new Int32Array(7)])).rejects.toThrow(/sliding_window of 6/);
  await description.close();
});

test('operations and least bytes of each kernel', async () => {
  const description = await describeModel(goldenFiles('qwen3-tied'));
  const { config } = description;
  const [B, T, L] = [2, 10, config.layers];
  const rows = B * T;
  const { width: d, innerWidth: m, heads: H, keyValueHeads: K, headWidth: e, vocabulary: V } = config;
  const [queries, row] = [H * e, (H + 2 * K) * e];
  const matrices = row * d + queries * d + 3 * d * m;
  // Three products read the normed rows and write their parts of one; the one that adds reads what it adds to.
  const activations = 4 * rows * (3 * d + row + (queries + 2 * d) + 2 * (d + m) + (m + 2 * d));
  const norms = 2 * L + 1;
  expect(description.work(B, T)).toEqual({
    embed: { operations: 0, bytes: 2 * rows * d + 4 * rows * d },
    'rms-norm': { operations: 0, bytes: norms * 4 * (2 * rows * d + d) },
    'head-norm': { operations: 0, bytes: L * 4 * (2 * rows * (H + K) * e + 2 * e) },
    rotary: { operations: 0, bytes: L * (2 * 4 * T * (e / 2) + 2 * 4 * rows * (H + K) * e) },
    'matrix-product': {
      operations: 2 * rows * (L * matrices + d * V),
      bytes: L * (2 * matrices + activations) + 2 * d * V + 4 * rows * d + 4 * rows * V,
    },
    attention: { operations: L * B * 2 * T * (T + 1) * queries, bytes: L * 4 * rows * (row + queries) },
    multiply: { operations: 0, bytes: L * 3 * 4 * rows * m },
    'fold-log-softmax': { operations: 0, bytes: 4 * rows * V },
  });
  expect(description.kernels).toEqual(
    new Set(['rms-norm', 'head-norm', 'rotary', 'matrix-product', 'attention', 'multiply']),
  );
  await description.close();
});
