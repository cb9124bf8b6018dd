import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { planProfile } from '../../src/analysis/plan.ts';
import { profileReport } from '../../src/analysis/profile-report.ts';
import { describeModel } from '../../src/engine/description.ts';
import { fixtureFiles } from '../support/fixture-files.ts';

test('every kernel that a plan counts runs in a profile, under its name or that of a variant', async ({
  skip,
}) => {
  using gpu = await openTestGpu({ timed: true });
  if (!gpu.timer) return skip('this adapter has no timestamps');
  const description = await describeModel(fixtureFiles('weights/alice-pythia'));
  try {
    const real = Int32Array.from({ length: 40 }, (_, index) => 7 * index);
    const subject = { id: 'alice-pythia', revision: null, text: null, seed: 28, started: 0 };
    await profileReport(gpu, description, { ...subject, tokens: { real } }, { threshold: 95 });
    const ran = (await gpu.timer.totals()).map(({ kernel }) => kernel);
    const { work, operations } = planProfile({
      model: description,
      tokens: 40,
      memoryLimit: Infinity,
      software: gpu.adapter.software,
    });
    const counted = [...Object.keys(work.forward), ...Object.keys(work.spectrum)];
    expect(counted.length).toBeGreaterThan(10);
    for (const name of counted) {
      expect(ran.filter((kernel) => kernel === name || kernel.startsWith(`${name}-`))).not.toEqual([]);
    }
    expect(operations.forward).toBe(description.operations(2, 40));
    expect(operations.spectrum).toBeGreaterThan(0);
  } finally {
    await description.close();
  }
});
