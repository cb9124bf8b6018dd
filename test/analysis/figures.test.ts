import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { beforeAll, describe, expect, it } from 'vitest';
import { bandsOf } from '../../src/analysis/bands.ts';
import { figureNames, figures } from '../../src/analysis/figures.ts';
import type { Figure, ProfileSpectra } from '../../src/analysis/figures.ts';
import type { Report } from '../../src/analysis/report.ts';
import { withoutHover } from '../../src/analysis/figure-svg.ts';
import { InputError } from '../../src/engine/errors.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { makeReport } from '../support/report-fixture.ts';
import type { FixtureSequence } from '../support/report-fixture.ts';

interface Profile {
  readonly report: Report;
  readonly spectra: ProfileSpectra;
}

const profileOf = (
  real: FixtureSequence,
  shuffled: FixtureSequence,
  width: number,
  threshold = 95,
): Profile => ({
  report: makeReport(real, shuffled, width, { threshold }),
  spectra: { real: real.spectra, shuffled: shuffled.spectra },
});

async function goldenProfile(name: string, threshold?: number): Promise<Profile> {
  const { sequences } = await readExpected(name);
  const [real, shuffled = real] = sequences;
  return profileOf(real!, shuffled!, real!.columns, threshold);
}

/** 49 states of 1024 components that decay as a power law; the last one is rounding, as after centring 1024 tokens. */
function largeProfile(): Profile {
  const spectrum = (layer: number, slope: number) =>
    Float32Array.from({ length: 1024 }, (_, index) =>
      index === 1023 ? 1e-6 : 100 * (index + 1) ** -(slope + layer / 50),
    );
  const sequence = (slope: number): FixtureSequence => ({
    ids: Array.from({ length: 1024 }, (_, index) => index),
    maxLogSoftmax: Array.from({ length: 1024 }, (_, index) => -(((index + 1) / 400) ** 2)),
    spectra: Array.from({ length: 49 }, (_, layer) => spectrum(layer, slope)),
  });
  return profileOf(sequence(0.4), sequence(0.3), 1600);
}

function oneLayerProfile(): Profile {
  const sequence: FixtureSequence = {
    ids: [5, 6, 7, 8],
    maxLogSoftmax: [-0.8, -1, -0.2, -3],
    spectra: [Float32Array.of(5, 3, 1, 1e-7), Float32Array.of(5, 4, 1, 0)],
  };
  return profileOf(sequence, sequence, 48);
}

/** Compiles as Vega would see it; every warning is kept. */
function compileStrictly(figure: Figure): { warnings: string[]; marks: unknown } {
  const warnings: string[] = [];
  const logger = {
    level: () => logger,
    error: (...said: readonly unknown[]) => (warnings.push(said.join(' ')), logger),
    warn: (...said: readonly unknown[]) => (warnings.push(said.join(' ')), logger),
    info: () => logger,
    debug: () => logger,
  };
  const { spec } = compile(figure.specification as TopLevelSpec, { logger: logger as never });
  return { warnings, marks: spec.marks };
}

describe.each([
  ['alice-gpt2', () => goldenProfile('alice-gpt2')],
  ['alice-pythia, every variance counted', () => goldenProfile('alice-pythia', 100)],
  ['one token', () => goldenProfile('gpt2-one-token')],
  ['one layer', () => Promise.resolve(oneLayerProfile())],
  ['49 states of 1024 components', () => Promise.resolve(largeProfile())],
])('figures of %s', (_, make) => {
  let drawn: Figure[];
  beforeAll(async () => {
    const { report, spectra } = await make();
    drawn = figures(report, spectra);
  });

  it('are the six, by name and title', () => {
    expect(drawn.map(({ name, title }) => [name, title])).toEqual([
      ['max-log-softmax', 'Log-probability of the most likely next token'],
      ['singular-values', expect.stringMatching(/^Singular values of layer \d+$/)],
      ['percent-variance', expect.stringMatching(/^Variance of each component of layer \d+$/)],
      ['cumulative', expect.stringMatching(/^Cumulative variance of layer \d+$/)],
      ['rank', 'Rank of each layer'],
      ['effective-dimension', 'Effective dimension of each layer'],
    ]);
    expect(drawn.map(({ name }) => name)).toEqual(figureNames.slice(0, 6));
  });

  it('compile without a warning', () => {
    for (const figure of drawn) {
      const { warnings, marks } = compileStrictly(figure);
      expect(warnings, figure.name).toEqual([]);
      expect(marks).not.toHaveLength(0);
    }
  });

  it('are plain data', () => {
    for (const { specification } of drawn)
      expect(JSON.parse(JSON.stringify(specification))).toEqual(specification);
  });
});

/** All rows of data in a specification that have the given field. */
function rowsWith(value: unknown, field: string): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap((item) => rowsWith(item, field));
  if (typeof value !== 'object' || value === null) return [];
  const row = value as Record<string, unknown>;
  return field in row && 'series' in row
    ? [row]
    : Object.values(row).flatMap((item) => rowsWith(item, field));
}

describe('figures', () => {
  const effectiveDimension = ({ report, spectra }: Profile) =>
    figures(report, spectra).find(({ name }) => name === 'effective-dimension')!;

  it('plot the effective dimension, a count, and its percent of the rank in every layer', async () => {
    const profile = await goldenProfile('alice-gpt2');
    const rows = rowsWith(effectiveDimension(profile).specification, 'dimension');
    for (const layer of profile.report.sequences.shuffled.layers) {
      const { effective_dimension: dimension, rank } = layer;
      expect(rows).toContainEqual(
        expect.objectContaining({
          series: 'shuffled',
          layer: layer.layer,
          dimension,
          percent: (100 * dimension) / rank,
        }),
      );
    }
  });

  it('leave a gap in the percents, not 0%, where a layer has no variance', () => {
    const sequence: FixtureSequence = {
      ids: [5, 6, 7],
      maxLogSoftmax: [-0.8, -1, -0.2],
      spectra: [Float32Array.of(5, 3, 1), new Float32Array(3), Float32Array.of(5, 4, 1)],
    };
    const rows = rowsWith(effectiveDimension(profileOf(sequence, sequence, 8)).specification, 'percent');
    const real = rows.filter(({ series }) => series === 'real, % of rank').slice(0, 3);
    expect(real.map(({ layer, dimension, percent }) => [layer, dimension, percent])).toEqual([
      [0, 2, (100 * 2) / 3],
      [1, 0, null],
      [2, 2, (100 * 2) / 3],
    ]);
  });

  it('never say the zero-based index', async () => {
    const { report, spectra } = await goldenProfile('alice-gpt2');
    expect(JSON.stringify(figures(report, spectra))).not.toMatch(/index/i);
  });

  it('keep a percent beyond 100 inside the axis, at a threshold of 100 and a rank that is not full', async () => {
    const profile = await goldenProfile('alice-gpt2', 100);
    const percents = profile.report.sequences.real.layers.map((layer) => layer.percent_of_rank!);
    expect(Math.max(...percents)).toBeGreaterThan(100);
    const text = JSON.stringify(effectiveDimension(profile).specification);
    expect(text).toContain(`"domain":[0,${Math.max(...percents)}]`);
    expect(text).toContain('all components');
  });

  it('show the rank from zero to the most there can be', async () => {
    const { report, spectra } = await goldenProfile('alice-gpt2');
    const rank = figures(report, spectra).find(({ name }) => name === 'rank')!;
    expect(JSON.stringify(rank.specification)).toContain(`"domain":[0,${128 * 1.05}]`);
    expect(JSON.stringify(rank.specification.title)).toContain('rank 127 to 128 (real)');
  });

  it('draw a model without a head: no density, and the other figures', async () => {
    const { report, spectra } = await goldenProfile('alice-gpt2');
    for (const name of ['real', 'shuffled'] as const) report.sequences[name].max_log_softmax = null;
    const drawn = figures(report, spectra);
    expect(drawn.map(({ name }) => name)).toEqual(figureNames.slice(1, 6));
    for (const figure of drawn) expect(compileStrictly(figure).warnings).toEqual([]);
  });

  it('frame equal values no closer than rounding deserves', () => {
    const sequence: FixtureSequence = {
      ids: [5, 5, 5, 5],
      maxLogSoftmax: [-2.3162699, -2.3162697, -2.3162695, -2.3162694],
      spectra: [Float32Array.of(5, 3, 1, 0)],
    };
    const { report, spectra } = profileOf(sequence, sequence, 48);
    const [, first, last] = /"domain":\[(-[\d.]+),(-[\d.]+)\],"nice":true/.exec(
      JSON.stringify(figures(report, spectra)[0]!.specification),
    )!;
    expect(Number(last) - Number(first)).toBeGreaterThan(0.09);
  });

  it('say the threshold in full, and that a layer has no variance', async () => {
    const subtitles = async (name: string) => {
      const { report, spectra } = await goldenProfile(name, 99.9995);
      return figures(report, spectra).map(({ specification }) => JSON.stringify(specification.title));
    };
    const [, spectrum, percent, cumulative, , effective] = await subtitles('alice-gpt2');
    for (const text of [spectrum, percent, cumulative, effective])
      expect(text).toContain('99.9995% of the variance');
    expect((await subtitles('gpt2-one-token'))[1]).toContain('"layer 1 of 3","no variance"');
  });

  it('plot densities at the left edges of their bins', async () => {
    const { report, spectra } = await goldenProfile('alice-gpt2');
    const rows = rowsWith(figures(report, spectra)[0]!.specification, 'density');
    const { edges, density } = report.sequences.real.max_log_softmax!.histogram;
    const real = rows.filter(({ series }) => series === 'real');
    expect(real.map(({ edge }) => edge)).toEqual(edges.slice(0, -1));
    expect(real.map((row) => row['density'])).toEqual(density);
  });

  it('draw the spectrum of the middle layer, or of the one asked for', async () => {
    const { report, spectra } = await goldenProfile('alice-gpt2');
    const first = (layer?: number) =>
      rowsWith(figures(report, spectra, { layer })[1]!.specification, 'value')[0]!['value'];
    expect(first()).toBe(spectra.real[3]![0]);
    expect(first(5)).toBe(spectra.real[5]![0]);
    expect(() => figures(report, spectra, { layer: 7 })).toThrow(InputError);
    expect(() => figures(report, spectra, { layer: 0.5 })).toThrow(/no layer 0.5/);
  });
});

/** A profile of three shuffles, two sizes of blocks, two windows and two views; one view has nothing left. */
function sampledProfile(): Profile {
  const tokens = 8;
  const names = ['shuffled', 'shuffled_2', 'shuffled_3', 'block_4_1', 'block_4_2', 'block_4_3', 'window_2'];
  const sequenceOf = (seed: number): FixtureSequence => ({
    ids: Array.from({ length: tokens }, (_, index) => index),
    maxLogSoftmax: Array.from({ length: tokens }, (_, index) => -(((index + seed) / 4) ** 2) - 0.1),
    spectra: [0, 1, 2].map((layer) =>
      Float32Array.from({ length: tokens }, (_, index) =>
        index === 7 ? 0 : (index + 1) ** -(layer + seed / 9),
      ),
    ),
  });
  const made = ['real', ...names].map((name, seed) => [name, sequenceOf(seed)] as const);
  const [, real] = made[0]!;
  const reports = made.map(([name, own]) => {
    const { layers, ...rest } = makeReport(real, own, 12).sequences.shuffled;
    const views = {
      unit_rows: { layers: layers.map((layer) => ({ ...layer, rankme: 3, rows: tokens, columns: 12 })) },
      without_first_token: { layers: layers.map(({ layer }) => ({ layer, rows: 0, columns: 12 })) },
    };
    const alike = (value: number) => ({ debiased: value, biased: value });
    const compared = layers.map((layer, place) => ({
      ...layer,
      rankme: 2,
      cka: {
        before: place === 0 ? null : alike(-0.1 * place),
        real: name === 'real' ? null : alike(0.5),
      },
    }));
    return [name, { ...rest, layers: compared, views }] as const;
  });
  const report = makeReport(real, made[1]![1], 12);
  Object.assign(report.sequences, Object.fromEntries(reports));
  report.sampling = { shuffles: 3, shuffle_blocks: [4], windows: 2 };
  report.measured = { measures: ['rankme', 'cka'], views: [], without_dimensions: [] };
  report.bands = bandsOf(report.sequences, [
    { name: 'shuffled', kind: 'shuffled', block: 1, sequences: names.slice(0, 3) },
    { name: 'block_4', kind: 'block', block: 4, sequences: names.slice(3, 6) },
    { name: 'window', kind: 'window', block: null, sequences: ['real', 'window_2'] },
  ]);
  const spectra = Object.fromEntries(
    made.flatMap(([name, own]) => [
      [name, own.spectra],
      [`${name}.unit_rows`, own.spectra.map((values) => values.map((value) => value / 2))],
    ]),
  );
  return { report, spectra: spectra as unknown as ProfileSpectra };
}

describe('figures of many sequences and views', () => {
  const { report, spectra } = sampledProfile();
  const drawn = figures(report, spectra);
  const dataOf = (name: string) => drawn.find((figure) => figure.name === name)!.specification;

  it('are all there are, and compile without a warning', () => {
    expect(drawn.map(({ name }) => name)).toEqual(figureNames);
    for (const figure of drawn) expect(compileStrictly(figure).warnings, figure.name).toEqual([]);
  });

  it('shade from the lowest to the highest, under the line of the medians', () => {
    const bands = report.bands!;
    const shadedIn = (name: string) => JSON.stringify(dataOf(name)).split('"type":"area"').length - 1;
    expect(['rank', 'effective-dimension', 'singular-values', 'cumulative'].map(shadedIn)).toEqual([
      2, 2, 2, 2,
    ]);
    const text = JSON.stringify(dataOf('effective-dimension'));
    for (const { layers } of [bands['shuffled']!, bands['window']!])
      for (const { layer, effective_dimension: band } of layers)
        expect(text).toContain(JSON.stringify({ layer, low: band!.min, high: band!.max }));
    const medians = rowsWith(dataOf('effective-dimension'), 'dimension')
      .filter(({ series }) => series === 'median of 3 shuffles')
      .map(({ dimension }) => dimension);
    expect(medians.slice(0, 3)).toEqual(
      bands['shuffled']!.layers.map(({ effective_dimension: band }) => band!.median),
    );
  });

  it('draw the graded curve from single tokens to the text as it is', () => {
    const { layers } = report.sequences.real;
    const points = rowsWith(dataOf('shuffle-blocks'), 'block').filter(({ series }) => series === 'layer 2');
    expect(points.slice(0, 3).map(({ block, dimension }) => [block, dimension])).toEqual([
      [1, report.bands!['shuffled']!.layers[2]!.effective_dimension!.median],
      [4, report.bands!['block_4']!.layers[2]!.effective_dimension!.median],
      [8, layers[2]!.effective_dimension],
    ]);
  });

  it('draw the measures that were asked for, each on its own scale, below zero too', () => {
    const text = JSON.stringify(dataOf('measures'));
    expect(text.match(/"title":\{"text":"[^"]+/g)).toEqual([
      '"title":{"text":"Measures of each layer',
      '"title":{"text":"RankMe',
      '"title":{"text":"CKA before',
      '"title":{"text":"CKA real',
    ]);
    expect(text).toContain(`"domain":[${-0.2 * 1.05},0]`);
    expect(rowsWith(dataOf('measures'), 'value')).toContainEqual({
      series: 'median of 3 shuffles',
      layer: 1,
      value: 0.5,
    });
  });

  it('show views side by side, and say where nothing is left', () => {
    const text = JSON.stringify(dataOf('participation-ratio-views'));
    expect(text.match(/"text":"(all|unit rows|without first token)"/g)).toHaveLength(3);
    expect(text.split('nothing varies here')).toHaveLength(2);
  });

  it('show spectra of views side by side on one scale, with their own effective dimensions', () => {
    for (const name of ['singular-values', 'percent-variance', 'cumulative']) {
      const { concat } = dataOf(`${name}-views`) as unknown as {
        concat: { title: unknown; layer: object[] }[];
      };
      // The other view has no components.
      expect(concat.map(({ title }) => title)).toMatchObject([{ text: 'all' }, { text: 'unit rows' }]);
      const [all, unit] = concat.map((plot) => JSON.stringify(plot));
      const domains = (plot: string) => plot.match(/"domain":\[[^\]]+\]/g);
      expect(domains(unit!)).toEqual(domains(all!));
    }
    const values = (plot: object) => rowsWith(plot, 'value').filter(({ series }) => series === 'real');
    const { concat } = dataOf('singular-values-views') as unknown as { concat: [object, object] };
    expect(values(concat[1])[0]!['value']).toBe(spectra.real[1]![0]! / 2);
  });

  it('show measures of each view, and leave out a view that is the states as they are', () => {
    const text = JSON.stringify(dataOf('measures-views'));
    for (const [view, value] of [
      ['all', 2],
      ['unit rows', 3],
    ])
      expect(text).toContain(JSON.stringify({ view, sequence: 'real', layer: 0, value }));
    // Shuffles and windows of either view, around their lines.
    expect(text.split('"type":"area"')).toHaveLength(1 + 2 * 2);
    for (const { layers, views } of [report.bands!['shuffled']!, report.bands!['window']!])
      for (const [layer, { rankme }] of [layers[0]!, views!.unit_rows!.layers[0]!].entries()) {
        const { min, max } = rankme as { min: number; max: number };
        expect(text, `view ${layer}`).toContain(JSON.stringify({ layer: 0, low: min, high: max }));
      }
    expect(text).toContain(
      'shaded: lowest to highest of 2 windows around the solid lines, 3 shuffles around the dashed lines',
    );
    const same = { layers: [0, 1, 2].map((layer) => ({ layer, same_as: 'all' as const })) };
    const { report: other } = sampledProfile();
    for (const name of Object.keys(other.sequences))
      other.sequences[name]!.views = { without_outlier_dimensions: same };
    expect(figures(other, spectra).map(({ name }) => name)).not.toContain('measures-views');
  });

  it('draw a number that no line reaches as a point, and very small numbers as powers of ten', () => {
    const { report: lone } = sampledProfile();
    const of = (value: number) => ({ min: value, median: value, max: 2 * value, share_above: 0 });
    for (const { views } of Object.values(lone.sequences))
      for (const layer of views!.unit_rows!.layers as { layer: number; rankme: number | null }[])
        layer.rankme = layer.layer === 1 ? 1e-12 : null;
    for (const { layers } of Object.values(lone.sequences)) for (const layer of layers) layer.rankme = 0;
    for (const { views, layers } of Object.values(lone.bands!))
      for (const [place, layer] of [...layers, ...views!.unit_rows!.layers].entries())
        layer['rankme'] = place < 3 ? of(0) : place === 4 ? of(1e-12) : null;
    const { specification } = figures(lone, spectra).find(({ name }) => name === 'measures-views')!;
    const { concat } = specification as unknown as {
      concat: [{ layer: { mark: { type: string }; data: { values: object[] }; encoding: { y: object } }[] }];
    };
    const points = concat[0].layer.find(({ mark }) => mark.type === 'point')!;
    expect(points.encoding.y).toMatchObject({ axis: { format: '.1e' } });
    expect(points.data.values).toEqual([
      { view: 'unit rows', sequence: 'real', layer: 1, value: 1e-12 },
      { view: 'unit rows', sequence: 'median of 3 shuffles', layer: 1, value: 1e-12 },
    ]);
  });

  it('end the band of singular values where its lines end', () => {
    const { layer } = dataOf('singular-values') as unknown as {
      layer: { mark: { type: string }; data: { values: { component: number; low: number }[] } }[];
    };
    const [band] = layer.filter(({ mark }) => mark.type === 'area');
    // The last component is 0 in every sequence.
    expect(band!.data.values.map(({ component }) => component)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const { component, low } of band!.data.values)
      expect(low).toBe(Math.min(...['real', 'window_2'].map((name) => spectra[name]![1]![component - 1]!)));
  });

  it('leave nothing for a pointer in a document', () => {
    for (const { name, specification } of drawn) {
      const still = JSON.stringify(withoutHover(specification));
      expect(still, name).not.toContain('hovered');
      expect(still.split('"mark"').length, name).toBeGreaterThan(1);
    }
  });
});
