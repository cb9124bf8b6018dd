import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { planProfile } from '../../src/analysis/plan.ts';
import { profileReport } from '../../src/analysis/profile-report.ts';
import type { ProfileReportOptions } from '../../src/analysis/profile-report.ts';
import type { LayerReport } from '../../src/analysis/report.ts';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { activationFiles } from '../support/golden-activations.ts';
import { limitedGpu } from '../support/model-runs.ts';

const name = 'gpt2-plain';
const real = Int32Array.from({ length: 12 }, (_, index) => (7 * index + (index % 3)) % 90);
const window = { start: 30, ids: real.map((id) => (id + 11) % 90) };
const sampling = { shuffles: 2, shuffleBlocks: [4], windows: 2 };
const request = {
  views: ['all', 'without_first_token'],
  measures: ['prompt_entropy', 'neighbours'],
  comparisons: ['cka', 'angles'],
  listedDimensions: [],
} as const;
const at = ['blocks.*.hook_mlp_out'];

test('each of many sequences is measured as in a run of its own, bit for bit, within the bound', async () => {
  using gpu = await openTestGpu();
  const description = await describeModel(activationFiles(name));
  const run = (on: Gpu, seed: number, ids: Int32Array<ArrayBuffer>, options: Partial<ProfileReportOptions>) =>
    profileReport(
      on,
      description,
      {
        id: name,
        revision: null,
        tokens: { real: ids, ...(options.sampling && { windows: [window] }) },
        text: null,
        seed,
        started: 0,
      },
      { request, at, threshold: 90, ...options },
    );
  try {
    const separate = {
      real: await run(gpu, 29, real, {}),
      window_2: await run(gpu, 28, window.ids, {}),
    };
    // The text is the same with any seed.
    const expected = { ...separate, shuffled_2: separate.real };
    const tokens = real.length;
    const shape = { model: description, tokens, sequences: 6, software: true, request, at };
    const roomy = planProfile({ ...shape, memoryLimit: Infinity });
    expect(roomy.groups).toEqual([6]);
    const limits = [Infinity, roomy.minGpu];
    expect(planProfile({ ...shape, memoryLimit: roomy.minGpu }).weights.isResident).toBe(false);
    const batches: number[] = [];
    for (const memoryLimit of limits) {
      using limited = limitedGpu(gpu, { memoryLimit });
      batches.push(planProfile({ ...shape, memoryLimit }).groups.length);
      const seen: string[] = [];
      const { report, spectra, hookValues } = await run(limited, 28, real, {
        sampling,
        onForward: (_, __, which) => void seen.push(which ?? ''),
      });
      expect(limited.allocatedBytes).toBe(0);
      expect(limited.peakBytes).toBeLessThanOrEqual(Math.min(memoryLimit, roomy.gpu));
      expect(Object.keys(report.sequences)).toEqual([
        ...['real', 'shuffled', 'shuffled_2', 'block_4_1', 'block_4_2', 'window_2'],
      ]);
      expect(Object.keys(report.bands!)).toEqual(['shuffled', 'block_4', 'window']);
      expect(seen.at(-1)).toBe(['sequences 1 to 6 of 6', 'sequence 6 of 6'][batches.length - 1]);
      for (const [sequence, alone] of Object.entries(expected)) {
        const key = sequence.startsWith('shuffled') ? 'shuffled' : 'real';
        const { ids, max_log_softmax: maxima, layers, views, hooks } = report.sequences[sequence]!;
        const single = alone.report.sequences[key];
        // What is compared with the text is another matter where the sequence is the text.
        const own = (of: readonly LayerReport[]) => (key === 'real' ? of.map(withoutText) : of);
        expect([ids, maxima, own(layers), views, hooks]).toEqual([
          single.ids,
          single.max_log_softmax,
          own(single.layers),
          single.views,
          single.hooks,
        ]);
        expect(spectra[sequence]).toEqual(alone.spectra[key]);
        expect(hookValues![sequence]).toEqual(alone.hookValues![key]);
      }
    }
    // The text runs along in each batch after the first.
    expect(batches).toEqual([1, 5]);
  } finally {
    await description.close();
  }
});

function withoutText(layer: LayerReport): LayerReport {
  return {
    ...layer,
    cka: { ...layer.cka!, real: null },
    angles: { ...layer.angles!, real: null },
  };
}
