import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { allComparisons } from '../../src/analysis/measures/comparisons.ts';
import { measureTable } from '../../src/analysis/measures/table.ts';
import type { MeasureName } from '../../src/analysis/measures/table.ts';
import { profileSequences } from '../../src/analysis/profile.ts';
import type { ProfileOptions } from '../../src/analysis/profile.ts';
import { shuffleBlocks, shuffleTokens } from '../../src/analysis/shuffle.ts';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/options.ts';
import type { CapturedActivation } from '../../src/engine/hooks.ts';
import { Model } from '../../src/engine/model.ts';
import { weightBytes } from '../../src/engine/weights.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { limitedGpu, streamingLimit } from '../support/model-runs.ts';
import { isWhole } from './extent.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

type Sequences = { readonly real: Int32Array; readonly shuffled: Int32Array } & Readonly<
  Record<string, Int32Array>
>;

/** All measures in several views, comparisons, and named activations; a few of each where not all is run. */
const everything: ProfileOptions = {
  threshold: 95,
  request: {
    views: isWhole
      ? ['without_first_token', 'without_outlier_dimensions', 'unit_rows', 'without_dimensions']
      : ['unit_rows'],
    measures: isWhole
      ? (Object.keys(measureTable) as MeasureName[])
      : ['effective_dimension', 'component_1', 'mean_cosine'],
    listedDimensions: [3, 17],
    comparisons: allComparisons,
  },
  at: isWhole ? ['blocks.*.hook_resid_post', 'blocks.*.attn.hook_z'] : ['blocks.*.attn.hook_z'],
};

/** Loads a model within limits of its own. */
async function withModel<Result>(
  name: GoldenCase,
  limits: GpuOptions,
  use: (gpu: Gpu, model: Model) => Promise<Result>,
): Promise<Result> {
  using own = limitedGpu(gpu, limits);
  const description = await describeModel(goldenFiles(name));
  try {
    using model = await Model.load(own, description);
    return await use(own, model);
  } finally {
    await description.close();
  }
}

/** Everything that a profile writes. */
async function profile(name: GoldenCase, ids: Sequences, limits: GpuOptions = {}, maxStates?: number) {
  return withModel(name, limits, async (own, model) => {
    const { sequences, singularValues, hookValues } = await profileSequences(own, model, ids, {
      ...everything,
      maxStates,
    });
    return { isResident: model.isResident, sequences, singularValues, hookValues: hookValues! };
  });
}

/** Everything that a capture writes of some sequences: every activation, logits, lens and loss. */
async function capture(name: GoldenCase, ids: readonly Int32Array[], limits: GpuOptions = {}) {
  return withModel(name, limits, async (_, model) => {
    const logits: Float32Array[] = [];
    const activations: CapturedActivation[] = [];
    const tiles: { readonly firstToken: number; readonly tokens: number; readonly values: Float32Array }[] =
      [];
    const { lens, loss, maxLogSoftmax, argmax } = await model.run(ids, {
      capture: ['*'],
      lens: { top: 3 },
      loss: true,
      onActivation: (activation) => void activations.push(activation),
      onLogits: ({ firstToken, tokens, values }) =>
        void tiles.push({ firstToken, tokens, values: values.slice() }),
    });
    // Tiles may be cut elsewhere: a row for each position.
    const rows = ids.length * ids[0]!.length;
    for (let row = 0; row < rows; row += 1)
      logits.push(
        Float32Array.from(
          tiles.flatMap(({ tokens, values }) => [...values.subarray(row * tokens, (row + 1) * tokens)]),
        ),
      );
    return { isResident: model.isResident, activations, logits, lens, loss, maxLogSoftmax, argmax };
  });
}

/** Bytes of the largest weight of a block. */
async function largestMatrix(name: GoldenCase): Promise<number> {
  const description = await describeModel(goldenFiles(name));
  await description.close();
  const weights = description.weights.blocks.flatMap((block) => Object.values(block));
  return Math.max(...weights.map(weightBytes));
}

/** A capture of several sequences, as one of them alone would have it. */
function alone(batch: Awaited<ReturnType<typeof capture>>, index: number, of: number) {
  const part = <Values extends Float32Array | Int32Array>(array: {
    readonly shape: readonly number[];
    readonly values: Values;
  }) => {
    const size = array.values.length / of;
    return {
      ...array,
      shape: array.shape.slice(1),
      values: array.values.slice(index * size, (index + 1) * size),
    };
  };
  const rows = batch.logits.length / of;
  return {
    isResident: batch.isResident,
    activations: batch.activations.map(part),
    logits: batch.logits.slice(index * rows, (index + 1) * rows),
    lens: batch.lens && {
      top: batch.lens.top,
      ids: part(batch.lens.ids),
      logProbabilities: part(batch.lens.logProbabilities),
      loss: part(batch.lens.loss),
    },
    loss: batch.loss && [batch.loss[index]],
    maxLogSoftmax: batch.maxLogSoftmax && [batch.maxLogSoftmax[index]],
    argmax: batch.argmax && [batch.argmax[index]],
  };
}

/** In shards, of another dtype than the kernels'. */
const usual: readonly GoldenCase[] = ['neox-bf16-sharded'];
const many: readonly GoldenCase[] = [
  ...usual,
  ...(['gpt2-inverse-layer-scale', 'gpt2-massive', 'gpt2-f16', 'alice-gpt2'] as const),
  ...(['neox-f32-sequential', 'neox-full-rotary', 'alice-pythia'] as const),
  ...(['llama-3-gqa-bf16', 'qwen3-tied', 'mistral-v0.3'] as const),
];

test.each(isWhole ? many : usual)(
  '%s: streamed and resident, alone and in a batch, give the same bits in all that is written',
  async (name) => {
    const golden = (await readGolden(name)).sequences[0]!.ids;
    // The weights of the small ones, which do not fit, must be more than what a few tokens take.
    const real = golden.slice(0, !isWhole ? 6 : name.startsWith('alice-') ? 24 : 8);
    const [shuffled, again] = [shuffleTokens(real, 28), shuffleTokens(real, 29)];
    const ids = {
      real,
      shuffled,
      shuffled_2: again,
      ...(isWhole && { block_4_1: shuffleBlocks(real, 4, 28) }),
    };
    const limit = await streamingLimit(gpu, goldenFiles(name));
    const limits = { memoryLimit: limit };
    const expected = await profile(name, ids);
    expect(expected.isResident).toBe(true);
    expect(await profile(name, ids, limits, 1), 'streamed').toEqual({ ...expected, isResident: false });
    // Small bindings split tables; a matrix of a block that is split is summed in another order.
    const split = { bindingLimit: await largestMatrix(name) };
    expect(await profile(name, ids, split), 'split').toEqual(expected);

    // Fewer sequences, each in another place of the batch; only what compares it with the text differs.
    const turned = await profile(name, { real: again, shuffled: real });
    expect(turned.singularValues.real).toEqual(expected.singularValues['shuffled_2']);
    expect(turned.singularValues.shuffled).toEqual(expected.singularValues.real);
    expect(turned.hookValues.real).toEqual(expected.hookValues['shuffled_2']);
    for (const [here, there] of [
      ['real', 'shuffled_2'],
      ['shuffled', 'real'],
    ] as const)
      expect(withoutReal(turned.sequences[here])).toEqual(withoutReal(expected.sequences[there]!));

    const captured = await capture(name, [real, shuffled]);
    expect(captured.activations.length).toBeGreaterThan(20);
    expect(captured.maxLogSoftmax![1]).toEqual(expected.sequences.shuffled.maxLogSoftmax);
    expect(await capture(name, [real, shuffled], limits), 'streamed').toEqual({
      ...captured,
      isResident: false,
    });
    expect(await capture(name, [real, shuffled], split), 'split').toEqual(captured);
    expect(await capture(name, [shuffled]), 'alone').toEqual(alone(captured, 1, 2));
  },
);

/** What is measured of a sequence without what holds it against the text. */
function withoutReal(measured: Awaited<ReturnType<typeof profile>>['sequences']['real']): unknown {
  return JSON.parse(JSON.stringify(measured, (key, value: unknown) => (key === 'real' ? undefined : value)));
}
