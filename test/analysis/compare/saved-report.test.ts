import { describe, expect, it } from 'vitest';
import { readReport, savedReport } from '../../../src/analysis/compare/saved-report.ts';
import { withThreshold } from '../../../src/analysis/compare/with-threshold.ts';
import type { Report } from '../../../src/analysis/report.ts';
import { FormatError } from '../../../src/engine/errors.ts';
import { makeReport } from '../../support/report-fixture.ts';

const spectra = [Float32Array.of(4, 3, 2), Float32Array.of(5, 1, 0)];
const sequence = { ids: [5, 7, 5], maxLogSoftmax: [-1, -0.5, -0.25], spectra };
const report = (threshold = 95) => makeReport(sequence, sequence, 4, { threshold });
const numbers = (value: unknown, layer: number) =>
  savedReport(value, 'run').sequences.get('real')!.views.get('all')![layer]!.numbers;

describe('readReport', () => {
  it.each<[string, string, RegExp]>([
    ['half a file', '{"laminar": "0.1', /^run: is not valid JSON/],
    [
      'a list',
      '[]',
      /^run: is not a report of a profile: the whole is \[\], where an object belongs; give a/,
    ],
    ['another object', '{"a": 1}', /: model is missing, where an object belongs/],
  ])('refuses %s', (_, text, message) => {
    expect(() => readReport(text, 'run')).toThrow(FormatError);
    expect(() => readReport(text, 'run')).toThrow(message);
  });

  it.each<[string, (value: Report) => unknown, RegExp]>([
    [
      'a layer without its rank',
      ({ sequences }) =>
        delete (sequences.real.layers[1] as Partial<Report['sequences']['real']['layers'][0]>).rank,
      /: sequences\.real\.layers\[1\]\.rank is missing, where a number belongs/,
    ],
    [
      'a number as text',
      (value) => Object.assign(value, { threshold: '95' }),
      /: threshold is 95, where a number belongs/,
    ],
    [
      'layers that are cut off',
      ({ sequences }) => sequences.shuffled.layers.pop(),
      /: sequences\.shuffled\.layers is 1 layers, where 2 layers belong/,
    ],
    [
      'no shuffled sequence',
      (value) => Reflect.deleteProperty(value.sequences, 'shuffled'),
      /: sequences\.shuffled is missing/,
    ],
  ])('names the field: %s', (_, damage, message) => {
    const value = report();
    damage(value);
    expect(() => readReport(JSON.stringify(value), 'run')).toThrow(message);
  });

  it('takes older reports: the percent of then has the name that it has now', () => {
    const old = JSON.parse(JSON.stringify(report())) as Report;
    for (const layer of old.sequences.real.layers)
      Object.assign(layer, { percent_of_rank: layer.notebook_percent, notebook_percent: undefined });
    Object.assign(old.text!, { preview: undefined });
    expect(numbers(JSON.parse(JSON.stringify(old)), 0)).toEqual(numbers(report(), 0));
  });

  it('takes newer reports: what it does not know is passed over', () => {
    const later = JSON.parse(JSON.stringify(report())) as Report;
    for (const layer of later.sequences.real.layers)
      Object.assign(layer, { novelty: { a: 1 }, mean_cosine: 'of another shape', rankme: 2, variance: null });
    expect(numbers(later, 1)).toEqual({ ...numbers(report(), 1), rankme: 2 });
  });

  it('takes views: the same, measured, or without numbers', () => {
    const viewed = report();
    const [first] = viewed.sequences.real.layers;
    viewed.sequences.real.views = {
      unit_rows: {
        layers: [
          { ...first!, rows: 3, columns: 4, rank: 1 },
          { layer: 1, same_as: 'all' },
        ],
      },
      without_first_token: { layers: [{ layer: 0, rows: 0, columns: 4 }] },
    };
    const { views } = savedReport(viewed, 'run').sequences.get('real')!;
    expect(views.get('unit_rows')!.map((layer) => layer.numbers['rank'])).toEqual([1, 2]);
    expect(views.get('without_first_token')).toEqual([{ layer: 0, numbers: {} }]);
  });
});

describe('withThreshold', () => {
  const values = new Map([
    ['real', spectra],
    ['shuffled', spectra],
  ]);

  it.each([50, 80, 99.5, 100])('gives what a run at %d gives', (threshold) => {
    const changed = withThreshold(savedReport(report(), 'run'), values, threshold, 'spectra');
    expect(changed).toEqual(savedReport(report(threshold), 'run'));
  });

  it('leaves out what cannot be known: views and bands at the new threshold', () => {
    const viewed = report();
    viewed.sequences.real.views = { unit_rows: { layers: [{ layer: 0, same_as: 'all' }] } };
    const band = { min: 1, median: 2, max: 3, share_above: null };
    const layers = [{ layer: 0, rank: band, effective_dimension: band }];
    Object.assign(viewed, { bands: { shuffled: { sequences: ['shuffled'], layers } } });
    const changed = withThreshold(savedReport(viewed, 'run'), values, 50, 'spectra');
    expect([...changed.bands.get('shuffled')!.layers[0]!.numbers]).toEqual([['rank', band]]);
    const [layer] = changed.sequences.get('real')!.views.get('unit_rows')!;
    expect(layer!.numbers).toMatchObject({ rank: 3 });
    expect(layer!.numbers).not.toHaveProperty('effective_dimension');
  });

  it('refuses spectra of another run', () => {
    const saved = savedReport(report(), 'run');
    expect(() => withThreshold(saved, new Map([['real', spectra]]), 50, 'spectra')).toThrow(
      /^spectra: has nothing under shuffled\.singular_values, where the report has 2 layers/,
    );
    expect(() => withThreshold(saved, values, 101, 'spectra')).toThrow(/threshold 101 is not a percent/);
  });
});
