import { describe, expect, it } from 'vitest';
import { readReport, savedReport } from '../../../src/analysis/compare/saved-report.ts';
import { withThreshold } from '../../../src/analysis/compare/with-threshold.ts';
import { bandsOf } from '../../../src/analysis/bands.ts';
import { layerDimensions } from '../../../src/analysis/dimensions.ts';
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
    expect(changed.report).toEqual(savedReport(report(threshold), 'run'));
  });

  /** Two shuffles and a view of three of four dimensions, whose last component is zero. */
  const richReport = (threshold: number) => {
    const ofView = [Float32Array.of(3, 2, 1), Float32Array.of(4, 4, 0)];
    const value = report(threshold);
    const { real, shuffled } = value.sequences;
    const viewOf = (rows: number) => ({
      without_first_token: {
        layers: [
          {
            layer: 0,
            rows,
            columns: 4,
            ...layerDimensions(ofView[0]!.subarray(0, rows), rows, 4, threshold),
          },
          { layer: 1, same_as: 'all' as const },
        ],
      },
    });
    const second = makeReport(sequence, { ...sequence, spectra: ofView }, 4, { threshold });
    const more = { ...second.sequences.shuffled, kind: 'shuffled' as const, views: viewOf(2) };
    Object.assign(value.sequences, {
      real: { ...real, views: viewOf(2) },
      shuffled: { ...shuffled, views: viewOf(2) },
      shuffled_2: more,
    });
    const names = ['shuffled', 'shuffled_2'];
    value.bands = bandsOf(value.sequences, [
      { name: 'shuffled', kind: 'shuffled', block: 1, sequences: names },
    ]);
    const rows = [Float32Array.of(3, 2, 0), spectra[1]!];
    const kept = new Map([
      ...values,
      ['shuffled_2', ofView],
      ...['real', ...names].map((name) => [`${name}.without_first_token`, rows] as const),
    ]);
    return { saved: savedReport(value, 'run'), kept };
  };

  it.each([50, 60, 99.5])('gives views and bands as a run at %d does', (threshold) => {
    const { saved, kept } = richReport(95);
    const changed = withThreshold(saved, kept, threshold, 'spectra');
    expect(changed).toEqual({ report: richReport(threshold).saved, lostViews: [] });
  });

  it('leaves out the numbers of views that have no singular values, and says which', () => {
    const { saved, kept } = richReport(95);
    const without = new Map([...kept].filter(([name]) => !name.includes('.')));
    const changed = withThreshold(saved, without, 50, 'spectra');
    expect(changed.lostViews).toEqual(['without_first_token']);
    const [lost, same] = changed.report.sequences.get('real')!.views.get('without_first_token')!;
    expect(lost!.numbers).toMatchObject({ rank: 2 });
    expect(lost!.numbers).not.toHaveProperty('effective_dimension');
    expect(same).toBe(changed.report.sequences.get('real')!.views.get('all')![1]);
    const band = changed.report.bands.get('shuffled')!.views.get('without_first_token')![0]!;
    expect(band.numbers.has('rank')).toBe(true);
    expect(band.numbers.has('effective_dimension')).toBe(false);
  });

  it('refuses spectra of another run', () => {
    const saved = savedReport(report(), 'run');
    expect(() => withThreshold(saved, new Map([['real', spectra]]), 50, 'spectra')).toThrow(
      /^spectra: has nothing under shuffled\.singular_values, where the report has 2 layers/,
    );
    expect(() => withThreshold(saved, values, 101, 'spectra')).toThrow(/threshold 101 is not a percent/);
  });
});
