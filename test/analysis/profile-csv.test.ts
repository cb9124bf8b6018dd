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
});
