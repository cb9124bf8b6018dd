import { expect, it } from 'vitest';
import { benchGrowth, describeGrowthBench } from '../../../src/node/bench/growth.ts';
import { useFasterClock } from '../../support/faster-clock.ts';
import { expectLinear } from '../../support/growth-expectations.ts';
import { SharedContext } from '../../support/shared-context.ts';

useFasterClock();

it('measures forward passes and spectra along the sizes named', async () => {
  const report = await benchGrowth(['layers', 'matrices'], new SharedContext(), {
    base: { tokens: 8, width: 128, layers: 1, batch: 1, matrices: 1, size: 8 },
    sizes: {
      tokens: [],
      width: [],
      layers: [2, 4, 6, 8, 10],
      batch: [],
      matrices: [1, 2, 3, 4, 5],
      size: [],
    },
  });
  expect(report.growths.map(({ axis, limit }) => [axis, limit])).toEqual([
    ['layers', 1],
    ['matrices', 1],
  ]);
  expectLinear(report);
  for (const axis of ['layers', 'matrices'])
    expect(describeGrowthBench(report)).toMatch(new RegExp(`^ *${axis} .* \\d+ to \\d+ `, 'm'));
});
