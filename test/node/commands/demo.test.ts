import { expect, test } from 'vitest';
import { bundledModels } from '../../../src/analysis/bundled.ts';
import { demoHeadline } from '../../../src/node/commands/demo.ts';
import { readSaved } from '../../web/read-saved.ts';

test('the demo ends with what shuffling changes, and a command to go on', async () => {
  const reports = await Promise.all(bundledModels.map(async (name) => (await readSaved(name)).report));
  expect(demoHeadline(reports).trim().split('\n')).toEqual([
    'alice-gpt2: shuffled, the text uses 43.6 dimensions per layer instead of 43.1, but the loss is 9.12 instead of 3.27',
    'alice-pythia: shuffled, the text uses 48.7 dimensions per layer instead of 49.7, but the loss is 9.38 instead of 2.94',
    'next: laminar profile alice-pythia --shuffle-blocks 4,16,64 shows how the loss falls if the order in blocks is kept',
  ]);
  expect(demoHeadline([])).toBe('');
});
