import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { describe, expect, it } from 'vitest';
import { compareRuns } from '../../../src/analysis/compare/compare.ts';
import type { SavedRun } from '../../../src/analysis/compare/run.ts';
import { savedReport } from '../../../src/analysis/compare/saved-report.ts';
import type { ModelReport, Report } from '../../../src/analysis/report.ts';
import { InputError } from '../../../src/engine/errors.ts';
import { makeReport } from '../../support/report-fixture.ts';

const spectrum = (second: number) => Float32Array.of(4, second, 1);
const sequence = (...seconds: number[]) => ({
  ids: Int32Array.of(5, 7, 5),
  maxLogSoftmax: Float32Array.of(-1, -0.5, -0.25),
  spectra: seconds.map(spectrum),
});

/** A run of made-up spectra, changed by `change`. */
function run(
  source: string,
  {
    seconds = [2, 3],
    model = {},
    threshold = 95,
    change = () => undefined,
  }: {
    seconds?: number[];
    model?: Partial<ModelReport>;
    threshold?: number;
    change?: (report: Report) => void;
  } = {},
): SavedRun {
  const report = makeReport(sequence(...seconds), sequence(...seconds.map((value) => value - 0.5)), 4, {
    model,
    threshold,
  });
  change(report);
  return { source, report: savedReport(JSON.parse(JSON.stringify(report)), source) };
}

describe('labels of a comparison', () => {
  const seed = (value: number) => (report: Report) => void (report.seed = value);
  const text = (source: string, sha256: string) => (report: Report) =>
    void Object.assign(report.text!, { source, sha256, start: source.length });

  it.each<[string, SavedRun[], string[], string[]]>([
    [
      'models',
      [run('a'), run('b', { model: { id: 'alice-pythia', revision: 'abc', dtype: 'F16' } })],
      ['alice-gpt2', 'alice-pythia'],
      ['alice.txt', '3 tokens', 'seed 28', 'threshold 95%'],
    ],
    [
      'seeds and thresholds',
      [run('a'), run('b', { change: seed(3) }), run('c', { threshold: 90 })],
      ['seed 28 · threshold 95%', 'seed 3 · threshold 95%', 'seed 28 · threshold 90%'],
      ['alice-gpt2', 'alice.txt', '3 tokens'],
    ],
    [
      'texts of one name',
      [run('a', { change: text('x/a.txt', 'f'.repeat(64)) }), run('b', { change: text('y/a.txt', 'e') })],
      ['x/a.txt', 'y/a.txt'],
      ['alice-gpt2', '3 tokens', 'seed 28', 'threshold 95%'],
    ],
    [
      'revisions',
      [run('a', { model: { revision: 'abcdefgh' } }), run('b', { model: { revision: 'abcdefgi' } })],
      ['abcdefgh', 'abcdefgi'],
      ['alice-gpt2', 'alice.txt', '3 tokens', 'seed 28', 'threshold 95%'],
    ],
    [
      'weights alone, by the folder',
      [run('out/a'), run('out/b/report.json', { seconds: [2, 3.5] })],
      ['a', 'b'],
      ['alice-gpt2', 'alice.txt', '3 tokens', 'seed 28', 'threshold 95%'],
    ],
    [
      'nothing that they say',
      [run('a'), run('a', { seconds: [2, 3.5] })],
      ['alice-gpt2', 'alice-gpt2 (2)'],
      ['alice-gpt2', 'alice.txt', '3 tokens', 'seed 28', 'threshold 95%'],
    ],
  ])('name what differs: %s', (_, runs, labels, shared) => {
    const comparison = compareRuns(runs);
    expect(comparison.labels).toEqual(labels);
    expect(comparison.shared).toEqual(shared);
  });

  it('leave the seed out where no shuffle is shown', () => {
    const runs = [run('out/a'), run('out/b', { change: seed(3), seconds: [2, 3.5] })];
    expect(compareRuns(runs, { sequences: ['real'] }).labels).toEqual(['a', 'b']);
  });
});

describe('compareRuns', () => {
  const deep = { seconds: [2, 3, 2.5], model: { id: 'deep', layers: 2 } };

  it('has a row for each run, sequence and layer, with the columns of profile.csv', () => {
    const csv = compareRuns([run('a'), run('b', deep)]).csv();
    const [header, ...lines] = csv.trimEnd().split('\n');
    expect(header).toMatch(/^run,sequence,layer,relative_depth,effective_dimension,effective_index,rank,/);
    expect(header).toMatch(/,view,model,revision,text,window_start,tokens,seed,threshold,/);
    expect(lines.map((line) => line.split(',').slice(0, 5).join())).toEqual([
      'alice-gpt2,real,0,0,2',
      'alice-gpt2,real,1,1,2',
      'alice-gpt2,shuffled,0,0,3',
      'alice-gpt2,shuffled,1,1,2',
      'deep,real,0,0,2',
      'deep,real,1,0.5,2',
      'deep,real,2,1,2',
      'deep,shuffled,0,0,3',
      'deep,shuffled,1,0.5,2',
      'deep,shuffled,2,1,2',
    ]);
  });

  it('lays models of different depth over relative depth, unless told otherwise', () => {
    const runs = [run('a'), run('b', deep)];
    expect(compareRuns(runs).x).toBe('depth');
    expect(compareRuns(runs, { x: 'layer' }).x).toBe('layer');
    expect(compareRuns([run('a')]).x).toBe('layer');
  });

  it('draws the usual measures, and bands where a run has them', () => {
    const rank = { min: 1, median: 1.5, max: 2, share_above: 0.5 };
    const layers = [0, 1, 2].map((layer) => ({ layer, rank, stable_rank: null }));
    const bands = { shuffled: { kind: 'shuffled', block: 1, sequences: ['shuffled', 'shuffled_2'], layers } };
    const banded = run('b', {
      ...deep,
      change: (report) => void Object.assign(report, { bands }),
    });
    const figures = compareRuns([run('a'), banded]).figures();
    expect(figures.map(({ name }) => name)).toEqual([
      'effective-dimension',
      'rank',
      'percent-of-rank',
      'participation-ratio',
    ]);
    for (const { name, specification } of figures) {
      expect(() => compile(specification as TopLevelSpec)).not.toThrow();
      expect(JSON.stringify(specification).includes('"area"'), name).toBe(name === 'rank');
    }
    const [real] = compareRuns([banded], { sequences: ['real'], measures: ['rank'] }).figures();
    expect(JSON.stringify(real)).not.toContain('"area"');
  });

  it('draws what is named, by the name of a column or of a measure', () => {
    const measured = (report: Report) => {
      const fit = { alpha: 1.5, r2: 0.9 };
      for (const name of ['real', 'shuffled'] as const)
        for (const layer of report.sequences[name].layers)
          Object.assign(layer, { rankme: 2, alpha_req: fit });
    };
    const runs = [run('a', { change: measured }), run('b', { model: { id: 'other' } })];
    const named = (...measures: string[]) => compareRuns(runs, { measures }).measures.map(({ key }) => key);
    expect(named('stable_rank', 'alpha_req')).toEqual(['stable_rank', 'alpha', 'alpha_r2']);
    expect(named('rankme')).toEqual(['rankme']);
    expect(named('all')).toContain('alpha_r2');
    expect(compareRuns(runs, { measures: ['rankme'] }).notices).toEqual(['rankme is missing in other']);
    expect(() => named('rankmee')).toThrow(/measure rankmee is not known; did you mean .*rankme/);
    expect(() => named('twonn')).toThrow(/measure twonn: no run has it; .* They have effective_dim/);
  });

  it('draws views side by side, with their own bands, and says who lacks one', () => {
    const viewed = (report: Report) => {
      const rank = { min: 1, median: 1.5, max: 7, share_above: 0.5 };
      const layers = [0, 1].map((layer) => ({ layer, rank }));
      const band = { kind: 'shuffled', block: 1, sequences: ['shuffled'], layers: [] };
      Object.assign(report, { bands: { shuffled: { ...band, views: { unit_rows: { layers } } } } });
      for (const name of ['real', 'shuffled'] as const) {
        const sequence = report.sequences[name];
        const own = sequence.layers.map((layer) => ({ ...layer, rows: 3, columns: 4, rankme: 1.5 }));
        sequence.views = { unit_rows: { layers: own } };
      }
    };
    const runs = [run('a', { change: viewed }), run('b', { model: { id: 'other' } })];
    const views = ['unit-rows', 'all'];
    const both = compareRuns(runs, { views, measures: ['rank', 'rankme'] });
    expect(both.views).toEqual(['all', 'unit_rows']);
    expect(both.notices).toEqual([
      'rankme is missing in alice-gpt2; other',
      'the view unit_rows is missing in other',
    ]);
    const chosen = compareRuns(runs, {
      sequences: ['real', 'shuffled'],
      views,
      measures: ['rankme', 'rank'],
    });
    expect(chosen.notices).toEqual(both.notices);
    for (const { name, specification } of both.figures()) {
      expect(() => compile(specification as TopLevelSpec)).not.toThrow();
      const plots = (specification as unknown as { concat: unknown[] }).concat.map((plot) =>
        JSON.stringify(plot),
      );
      expect(plots.map((plot) => plot.includes('"area"'))).toEqual([false, name === 'rank']);
    }
    const [one] = compareRuns(runs, { views: ['unit_rows'], measures: ['rank'] }).figures();
    expect(JSON.stringify(one!.specification.title)).toContain('unit rows');
    expect(() => compareRuns(runs, { views: ['unit-row'] })).toThrow(/not known; did you mean unit-rows/);
    expect(() => compareRuns(runs, { views: ['without-first'] })).toThrow(
      /no run has it; .* They have all, unit-rows/,
    );
  });

  it('takes any sequences by name', () => {
    const more = (report: Report) => {
      const shuffled = { ...report.sequences.shuffled, kind: 'block', seed: 4, block: 16 };
      Object.assign(report.sequences, { block_16_1: shuffled });
    };
    const runs = [run('a', { change: more }), run('b', { model: { id: 'other' } })];
    const chosen = compareRuns(runs, { sequences: ['block*', 'real'] });
    expect(chosen.sequences).toEqual(['real', 'block_16_1']);
    expect(chosen.notices).toEqual(['block_16_1 is missing in other']);
    expect(chosen.rows.at(2)).toMatchObject({ sequence: 'block_16_1', kind: 'block', seed: 4, block: 16 });
    expect(() => compareRuns(runs, { sequences: ['rael'] })).toThrow(InputError);
  });

  it('shows a run once, and says so', () => {
    const copy = { ...run('c'), source: 'copy' };
    const comparison = compareRuns([run('a'), run('a'), copy]);
    expect(comparison.runs).toHaveLength(1);
    expect(comparison.notices).toEqual([
      'a is given twice; it is shown once',
      'copy holds the same run as a; it is shown once',
    ]);
    expect(() => compareRuns([])).toThrow(InputError);
  });

  it('says that counts at different thresholds are not comparable, and who wrote a newer report', () => {
    const runs = [
      run('a'),
      run('b', { threshold: 90, change: (report) => void (report.laminar = '0.10.0') }),
    ];
    const { notices } = compareRuns(runs);
    expect(notices).toHaveLength(2);
    expect(notices[0]).toMatch(/^b was written by laminar 0\.10\.0; this is /);
    expect(notices[1]).toMatch(/thresholds differ \(95%, 90%\).*a threshold of 95%, they are computed again/);
    expect(compareRuns(runs, { measures: ['rank'] }).notices).toHaveLength(1);
  });
});
