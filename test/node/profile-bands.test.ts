import { expect, it } from 'vitest';
import { bandsOf, bandWords } from '../../src/analysis/bands.ts';
import { bandTable, wideBandTable } from '../../src/node/profile-bands.ts';
import { makeReport } from '../support/report-fixture.ts';

const ofSpectrum = (...values: number[]) => ({
  ids: Int32Array.of(5, 7, 9, 9),
  maxLogSoftmax: Float32Array.of(-1, -0.5, -0.25, -1),
  spectra: [Float32Array.from(values), Float32Array.of(0, 0, 0, 0)],
});
const report = makeReport(ofSpectrum(9, 1, 1, 1), ofSpectrum(4, 4, 4, 4), 6);
report.sequences['shuffled_2'] = makeReport(ofSpectrum(4, 4, 4, 0), ofSpectrum(1, 1, 1, 1), 6).sequences.real;
report.bands = bandsOf(report.sequences, [
  { name: 'shuffled', kind: 'shuffled', block: 1, sequences: ['shuffled', 'shuffled_2'] },
  { name: 'block_16', kind: 'block', block: 16, sequences: ['real'] },
]);

it('prints bands beside the text, one number where all are the same, and dashes where nothing varies', () => {
  const lines = bandTable(report.sequences.real.layers, report.bands!).split('\n');
  expect(lines[0]).toMatch(/^ +real +shuffled × 2 +block 16 × 1$/);
  expect(lines[1]).toMatch(/^layer +effective +rank +% of rank +effective +> real +effective +> real$/);
  expect(lines[2]).toMatch(/^ +0 +1 +4 +25\.0 +3–4 \(median 3\.5\) +100% +1 +0%$/);
  expect(lines[3]).toMatch(/^ +1 +0 +0 +– +0 +0% +0 +0%$/);
  const wide = wideBandTable(report);
  expect(wide).toMatch(/^ +0 +participation_ratio +1\.\d+ +3–4 \(median 3\.5\) +1\.\d+$/m);
  expect(wide).not.toMatch(/^ +1 +participation_ratio/m);
  expect(bandWords(null)).toBe('–');
  // What reads the same is one number.
  expect(bandWords({ min: 1, median: 1.00001, max: 1.00002, share_above: 1 })).toBe('1');
});
