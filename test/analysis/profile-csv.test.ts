import { describe, expect, it } from 'vitest';
import { profileCsv } from '../../src/analysis/profile-csv.ts';
import { makeReport } from '../support/report-fixture.ts';

const hand = {
  ids: Int32Array.of(5, 7, 5),
  maxLogSoftmax: Float32Array.of(-1, -0.5, -0.25),
  spectra: [Float32Array.of(4, 2, 2), Float32Array.of(0, 0, 0)],
};

describe('profileCsv', () => {
  it('has a header and a row per sequence and layer, with nothing where the report has null', () => {
    const lines = profileCsv(makeReport(hand, hand, 4)).split('\n');
    expect(lines[0]).toBe(
      'sequence,layer,effective_dimension,effective_index,rank,rank_tolerance,near_rank_tolerance,' +
        'percent_of_rank,components,top_percent,participation_ratio,entropy_rank,stable_rank,notebook_percent,' +
        'model,revision,text,window_start,tokens,seed,threshold',
    );
    expect(lines.map((line) => line.split(',').slice(0, 5).join())).toEqual([
      'sequence,layer,effective_dimension,effective_index,rank',
      'real,0,3,2,3',
      'real,1,0,,0',
      'shuffled,0,3,2,3',
      'shuffled,1,0,,0',
      '',
    ]);
    expect(lines[2]).toBe('real,1,0,,0,0,0,,3,,,,,,alice-gpt2,,alice.txt,28517,3,28,95');
  });

  it('keeps every digit of a number', () => {
    const report = makeReport(hand, hand, 4);
    const [header, first] = profileCsv(report).split('\n') as [string, string];
    const column = header.split(',').indexOf('entropy_rank');
    expect(Number(first.split(',')[column])).toBe(report.sequences.real.layers[0]!.entropy_rank);
  });

  it('quotes names that hold commas, quotes or line ends, and leaves the text of given ids empty', () => {
    const named = makeReport(hand, hand, 4, { model: { id: 'a "b", c', revision: 'abc' } });
    named.text!.source = 'two\nlines.txt';
    expect(profileCsv(named)).toContain(',"a ""b"", c",abc,"two\nlines.txt",28517,3,28,95\n');
    expect(profileCsv({ ...named, text: null })).toContain(',"a ""b"", c",abc,,,3,28,95\n');
  });

  it('has the norms of tokens, the measures asked for, and a row for every view', () => {
    const report = makeReport(hand, hand, 4);
    for (const { layers } of Object.values(report.sequences)) {
      for (const layer of layers)
        Object.assign(layer, { tokens: { first: 3, median: 1, max: 4, max_token: 2 }, rankme: 2.5 });
    }
    report.measured = { measures: ['rankme'], views: ['unit_rows'], without_dimensions: [] };
    const [of] = report.sequences.real.layers;
    report.sequences.real.views = {
      unit_rows: {
        layers: [
          { ...of!, rows: 3, columns: 4, rank: 1, rankme: 1.5 },
          { layer: 1, same_as: 'all' },
        ],
      },
      without_first_token: { layers: [{ layer: 0, rows: 0, columns: 4 }] },
    };
    const table = profileCsv(report)
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','));
    const chosen = ['sequence', 'layer', 'rank', 'token_norm_max', 'token_norm_max_token', 'rankme', 'view'];
    const at = chosen.map((name) => table[0]!.indexOf(name));
    expect(at).not.toContain(-1);
    expect(table.slice(1).map((row) => at.map((column) => row[column]).join())).toEqual([
      'real,0,3,4,2,2.5,all',
      'real,1,0,4,2,2.5,all',
      'real,0,1,4,2,1.5,unit_rows',
      'real,1,0,4,2,2.5,unit_rows',
      'real,0,,4,2,,without_first_token',
      'shuffled,0,3,4,2,2.5,all',
      'shuffled,1,0,4,2,2.5,all',
    ]);
    expect(new Set(table.map((row) => row.length)).size).toBe(1);
  });
});
