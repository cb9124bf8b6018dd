import { expect, it } from 'vitest';
import { describeLogits } from '../../src/node/profile-logits.ts';
import { makeReport } from '../support/report-fixture.ts';

const sequence = (maximum: number, loss: number) => ({
  ids: [5, 7, 5],
  maxLogSoftmax: [maximum, maximum, maximum],
  loss: [loss, loss],
  spectra: [Float32Array.of(4, 2, 2), Float32Array.of(1, 0, 0)],
});

it('lays the means of the logits beside each other, and the loss of a guess', () => {
  const report = makeReport(sequence(-1.4, 3.267), sequence(-1.541, 9.116), 4);
  const [blank, header, sure, wrong, guess] = describeLogits(report).split('\n');
  expect([blank, header!.trim()]).toEqual(['', expect.stringMatching(/^mean, in nats +real +shuffled$/)]);
  expect(sure).toMatch(/how sure the model is +−1\.40 +−1\.54$/);
  expect(wrong).toMatch(/how wrong it is +3\.27 +9\.12$/);
  expect(guess).toBe('a guess among 2,048 tokens has a loss of 7.62');
});

it('has a column for each band, and nothing to say without logits', () => {
  const report = makeReport(sequence(-1.4, 3), sequence(-1.5, 9), 4);
  const band = (value: number) => ({ min: value, median: value, max: value, share_above: 0 });
  const group = { kind: 'block', block: 16, sequences: ['block_16_1'], layers: [] } as const;
  report.bands = {
    block_16: { ...group, sequences: [], layers: [], max_log_softmax_mean: band(-1.25), loss_mean: band(4) },
  };
  expect(describeLogits(report)).toMatch(/real +block_16\n.*−1\.40 +−1\.25\n.*3\.00 +4\n/);
  for (const name of ['real', 'shuffled'] as const)
    Object.assign(report.sequences[name], { max_log_softmax: null, loss: null });
  expect(describeLogits(report)).toBe('');
});
