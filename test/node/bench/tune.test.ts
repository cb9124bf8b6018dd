import { expect, it } from 'vitest';
import { benchTune, describeTuneBench } from '../../../src/node/bench/tune.ts';
import { SharedContext } from '../../support/shared-context.ts';

it('sets every variant beside the choice', async () => {
  const report = await benchTune(new SharedContext(), {
    model: { layers: 1, width: 32, heads: 1, vocabulary: 64, context: 16 },
    tokens: [8],
    matrices: [
      [8, 16],
      [16, 16],
    ],
    rounds: 1,
  });
  const names = report.decisions.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining(['matrix product', 'attention', 'Jacobi round', 'projection']),
  );
  for (const { job, options } of report.decisions) {
    expect(options.filter(({ chosen }) => chosen)).toHaveLength(1);
    for (const { seconds } of options) {
      expect(seconds).toHaveLength(job === 'forward' ? 1 : 2);
      for (const value of seconds) if (value !== null) expect(value).toBeGreaterThan(0);
    }
  }
  expect(describeTuneBench(report)).toMatch(/^ *matrix product +staged .*$/m);
});
