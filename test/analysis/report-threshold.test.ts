import { describe, expect, test } from 'vitest';
import { bundledModels } from '../../src/analysis/bundled.ts';
import { layerDimensions } from '../../src/analysis/dimensions.ts';
import { reportAtThreshold } from '../../src/analysis/report-threshold.ts';
import { InputError } from '../../src/engine/errors.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { readSaved } from '../web/read-saved.ts';

describe.each(bundledModels)('%s', (name) => {
  test('at every golden threshold a saved run has the golden dimensions', async () => {
    const { report, spectra } = await readSaved(name);
    const { sequences, thresholds } = await readExpected(name);
    const golden = sequences.find((sequence) => sequence.name === 'real')!;
    for (const [at, threshold] of thresholds.entries()) {
      const { layers } = reportAtThreshold(report, spectra!, threshold).sequences.real;
      expect(layers.map((layer) => layer.effective_dimension)).toEqual(
        golden.effective.map((ofLayer) => ofLayer[at]),
      );
    }
  });
});

test('everything else stays, views lose what cannot be known, and bands follow', async () => {
  const { report, spectra } = await readSaved('alice-gpt2');
  const { real, shuffled } = report.sequences;
  const views = { unit_rows: { layers: [{ ...real.layers[0]!, rows: 256, columns: 128 }] } };
  const other = { ...shuffled, views, kind: 'shuffled', seed: 29, block: 1, start: 0 } as const;
  const richer = {
    ...report,
    sequences: { real: { ...real, views }, shuffled: { ...shuffled, views }, shuffled_2: other },
    bands: {
      shuffled: { kind: 'shuffled', block: 1, sequences: ['shuffled', 'shuffled_2'] },
    } as unknown as NonNullable<typeof report.bands>,
  };
  const changed = reportAtThreshold(richer, { ...spectra!, shuffled_2: spectra!.real }, 80);
  expect(changed.threshold).toBe(80);
  const expected = layerDimensions(spectra!.real[3]!, 256, 128, 80);
  expect(changed.sequences.real.layers[3]).toEqual({
    ...real.layers[3],
    ...expected,
    top_percent: real.layers[3]!.top_percent,
  });
  expect(changed.sequences.real.views!.unit_rows!.layers[0]).not.toHaveProperty('effective_dimension');
  expect(changed.sequences.real.views!.unit_rows!.layers[0]).toHaveProperty('rank', real.layers[0]!.rank);
  const shown = (layer: number) => changed.sequences['shuffled_2']!.layers[layer]!.effective_dimension;
  expect(changed.bands!['shuffled']!.layers[3]!.effective_dimension).toMatchObject({
    min: Math.min(shown(3), changed.sequences.shuffled.layers[3]!.effective_dimension),
  });
  const kept = { ...spectra!, shuffled_2: spectra!.real, 'real.unit_rows': [spectra!.real[3]!] };
  expect(reportAtThreshold(richer, kept, 80).sequences.real.views!.unit_rows!.layers[0]).toMatchObject({
    effective_dimension: expected.effective_dimension,
    rank: real.layers[0]!.rank,
  });
  expect(reportAtThreshold(report, spectra!, 95)).toBe(report);
  expect(() => reportAtThreshold(report, spectra!, 101)).toThrow(InputError);
});
