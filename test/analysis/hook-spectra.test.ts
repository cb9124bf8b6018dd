import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { layerDimensions } from '../../src/analysis/dimensions.ts';
import { planProfile } from '../../src/analysis/plan.ts';
import { measuredHooks } from '../../src/analysis/measured-hooks.ts';
import { profileReport } from '../../src/analysis/profile-report.ts';
import { describeModel } from '../../src/engine/description.ts';
import { InputError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { activationFiles, readActivations } from '../support/golden-activations.ts';
import { centredSingularValues } from '../support/jacobi-svd.ts';
import { limitedGpu } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test('spectra of named activations are those of the golden ones, within the plan, and states are as without', async () => {
  const name = 'gpt2-plain';
  const golden = await readActivations(name);
  const [real, shuffled] = golden.ids.map((ids) => new Int32Array(ids)) as [
    Int32Array<ArrayBuffer>,
    Int32Array<ArrayBuffer>,
  ];
  const tokens = real.length;
  const description = await describeModel(activationFiles(name));
  const subject = { id: name, revision: null, tokens: { real, shuffled }, text: null, seed: 28, started: 0 };
  const at = ['blocks.*.hook_mlp_out', 'blocks.*.mlp.hook_post', 'blocks.*.attn.hook_*', 'ln_final.hook_out'];
  const notices: string[] = [];
  const run = (on: Gpu, names?: string[]) =>
    profileReport(on, description, subject, {
      threshold: 90,
      at: names,
      onNotice: (text) => notices.push(text),
    });
  const plain = await run(gpu);
  expect(plain.report.sequences.real.hooks).toBeUndefined();
  const plan = planProfile({
    model: description,
    tokens,
    memoryLimit: Infinity,
    software: true,
    at,
  });
  for (const memoryLimit of [plan.gpu, plan.minGpu]) {
    using limited = limitedGpu(gpu, { memoryLimit });
    notices.length = 0;
    const { report, hookValues } = await run(limited, at);
    expect(limited.peakBytes).toBeLessThanOrEqual(memoryLimit);
    expect(limited.allocatedBytes).toBe(0);
    expect(notices.join()).toMatch(/blocks\.0\.attn\.hook_pattern.*: not measured/);
    for (const [index, sequence] of (['real', 'shuffled'] as const).entries()) {
      const measured = report.sequences[sequence].hooks!;
      expect(Object.keys(measured).sort()).toEqual(
        [
          ...at.filter((hook) => !hook.includes('attn')),
          ...['q', 'k', 'v', 'z'].map((it) => `blocks.*.attn.hook_${it}`),
        ].sort(),
      );
      expect(report.sequences[sequence].layers).toEqual(plain.report.sequences[sequence].layers);
      for (const [hook, layers] of Object.entries(measured)) {
        layers.forEach(({ name: whole, columns, effective_dimension, rank }, row) => {
          const { values } = golden.activations.get(`${'ab'[index]}.${whole}`)!;
          expect(columns).toBe(values.length / tokens);
          const expected = centredSingularValues(values as Float32Array, tokens, columns);
          const found = hookValues![sequence][hook]![row]!;
          found.forEach((value, at) => {
            expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(1e-5 * expected[0]!);
          });
          const dimensions = layerDimensions(expected, tokens, columns, 90);
          expect([effective_dimension, rank]).toEqual([dimensions.effective_dimension, dimensions.rank]);
        });
      }
    }
  }
  await description.close();
});

test('what has no spectrum is refused', async () => {
  const description = await describeModel(activationFiles('gpt2-plain'));
  const batch = { sequences: 2, tokens: 5 };
  const measure = (at: string) => () => measuredHooks(description, [at], batch);
  expect(measure('blocks.*.attn.hook_pattern')).toThrow(InputError);
  expect(measure('blocks.*.attn.hook_pattern')).toThrow(/not a matrix of tokens by features/);
  expect(measure('ln_final.hook_scale')).toThrow(/not a matrix/);
  expect(measure('blocks.*.hook_mlp')).toThrow(/near it/);
  await description.close();
});
