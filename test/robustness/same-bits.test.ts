import { afterAll, beforeAll, expect, test } from 'vitest';
import { profileSequences } from '../../src/analysis/profile.ts';
import { shuffleTokens } from '../../src/analysis/shuffle.ts';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import { openNodeGpu } from '../../src/node/gpu.ts';
import { goldenFiles, readGolden } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { limitedGpu, streamingLimit } from '../support/model-runs.ts';
import { isWhole } from './extent.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openNodeGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** Everything that a profile writes of two sequences. */
async function profile(name: GoldenCase, ids: readonly Int32Array[], options: GpuOptions = {}) {
  using own = limitedGpu(gpu, options);
  const description = await describeModel(goldenFiles(name));
  try {
    using model = await Model.load(own, description);
    const [real, shuffled] = ids;
    const measured = await profileSequences(
      own,
      model,
      { real: real!, shuffled: shuffled! },
      { threshold: 95 },
    );
    const { sequences, singularValues } = measured;
    return { isResident: model.isResident, sequences, singularValues };
  } finally {
    await description.close();
  }
}

test.each<GoldenCase>(
  isWhole ? ['alice-gpt2', 'alice-pythia', 'neox-bf16-sharded', 'gpt2-massive'] : ['neox-bf16-sharded'],
)('%s: streamed and resident, alone and in a batch, give the same bits', async (name) => {
  const real = (await readGolden(name)).sequences[0]!.ids;
  const shuffled = shuffleTokens(real, 28);
  const { isResident, ...usual } = await profile(name, [real, shuffled]);
  expect(isResident).toBe(true);

  const limit = await streamingLimit(gpu, goldenFiles(name));
  const streamed = await profile(name, [real, shuffled], { memoryLimit: limit });
  expect(streamed).toEqual({ ...usual, isResident: false });
  const split = await profile(name, [real, shuffled], { bindingLimit: 2 ** 20 });
  expect(split).toEqual({ ...usual, isResident: true });
  // The other way round, and each beside itself.
  const turned = await profile(name, [shuffled, real]);
  expect(turned.sequences.real).toEqual(usual.sequences.shuffled);
  expect(turned.singularValues.shuffled).toEqual(usual.singularValues.real);

  const description = await describeModel(goldenFiles(name));
  using model = await Model.load(gpu, description);
  const alone = await model.run([shuffled]);
  expect(alone.maxLogSoftmax![0]).toEqual(Float32Array.from(usual.sequences.shuffled.maxLogSoftmax!));
  await description.close();
});
