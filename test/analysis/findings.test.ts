import { expect, it } from 'vitest';
import { findings } from '../../src/analysis/findings.ts';
import { makeReport } from '../support/report-fixture.ts';

const sequence = (...spectra: number[][]) => ({
  ids: [5, 7, 5],
  maxLogSoftmax: [-1, -2, -3],
  spectra: spectra.map((values) => Float32Array.from(values)),
});

it('says what the variance takes in both sequences, and how many tokens are unique', () => {
  const report = makeReport(sequence([9, 1, 1], [0, 0, 0]), sequence([3, 3, 0.1], [1, 0, 0]), 4);
  expect(findings(report, 0)).toEqual([
    '1 component explains more than 95% of the variance at layer 0 of the text.',
    '2 components explain more than 95% of the variance at layer 0 of the shuffled text.',
    'The window has 2 unique tokens of 3.',
  ]);
  expect(findings(report, 1)[0]).toBe('Nothing varies at layer 1 of the text.');
  const all = makeReport(sequence([9, 1, 1]), sequence([9, 1, 1]), 4, { threshold: 100 });
  expect(findings(all, 0)[0]).toBe('All 3 components are counted at layer 0 of the text.');
});
