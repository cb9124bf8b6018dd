import { describe, expect, it } from 'vitest';
import { buildReport } from '../../src/analysis/build-report.ts';
import type { ReportParts } from '../../src/analysis/build-report.ts';
import { laminarVersion } from '../../src/analysis/report.ts';
import { InputError } from '../../src/engine/errors.ts';
import { version } from '../../package.json' with { type: 'json' };
import { readExpected } from '../support/golden-expectations.ts';
import { makeReport } from '../support/report-fixture.ts';

const hand = {
  ids: Int32Array.of(5, 7, 5),
  maxLogSoftmax: Float32Array.of(-1, -0.5, -0.25),
  spectra: [Float32Array.of(4, 2, 2), Float32Array.of(0, 0, 0)],
};

describe('buildReport', () => {
  it('has every field of the contract, and none beside them', () => {
    const report = makeReport(hand, hand, 4);
    expect(Object.keys(report)).toEqual([
      'laminar',
      'model',
      'adapter',
      'text',
      'threshold',
      'seed',
      'sequences',
      'timings_ms',
    ]);
    expect(Object.keys(report.model)).toEqual([
      'id',
      'architecture',
      'layers',
      'width',
      'heads',
      'vocabulary',
      'context',
      'parameters',
      'dtype',
      'revision',
    ]);
    expect(Object.keys(report.adapter)).toEqual(['vendor', 'architecture', 'description', 'software']);
    expect(Object.keys(report.text!)).toEqual(['source', 'sha256', 'tokens', 'start', 'length', 'preview']);
    expect(Object.keys(report.sequences)).toEqual(['real', 'shuffled']);
    expect(Object.keys(report.sequences.real)).toEqual([
      'ids',
      'unique_tokens',
      'max_log_softmax',
      'loss',
      'layers',
    ]);
    expect(Object.keys(report.sequences.real.max_log_softmax!)).toEqual(['values', 'mean', 'histogram']);
    expect(Object.keys(report.sequences.real.max_log_softmax!.histogram)).toEqual(['edges', 'density']);
    expect(Object.keys(report.sequences.real.layers[0]!)).toEqual([
      'layer',
      'effective_dimension',
      'effective_index',
      'rank',
      'rank_tolerance',
      'near_rank_tolerance',
      'percent_of_rank',
      'components',
      'top_percent',
      'participation_ratio',
      'entropy_rank',
      'stable_rank',
      'notebook_percent',
    ]);
    expect(Object.keys(report.timings_ms)).toEqual(['load', 'forward', 'spectrum', 'total']);
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it('says of alice-gpt2 what the golden answers say', async () => {
    const { thresholds, sequences } = await readExpected('alice-gpt2');
    const [real, shuffled] = sequences as [(typeof sequences)[0], (typeof sequences)[0]];
    const report = makeReport(real, shuffled, real.columns);
    for (const expected of sequences) {
      const sequence = report.sequences[expected.name as 'real' | 'shuffled'];
      expect(sequence.ids).toEqual([...expected.ids]);
      expect(sequence.unique_tokens).toBe(expected.uniqueTokens);
      expect(sequence.max_log_softmax!.values).toEqual([...expected.maxLogSoftmax]);
      expect(sequence.max_log_softmax!.mean).toBeCloseTo(expected.meanMaxLogSoftmax, 6);
      expect(sequence.layers.map(({ layer }) => layer)).toEqual([0, 1, 2, 3, 4, 5, 6]);
      const at95 = thresholds.indexOf(95);
      expect(sequence.layers.map((layer) => layer.effective_dimension)).toEqual(
        expected.effective.map((layer) => layer[at95]),
      );
    }
  });

  it('has the loss at every position but the last, and none of one token', () => {
    const report = makeReport({ ...hand, loss: [2, 1] }, { ...hand, loss: null }, 4);
    expect(report.sequences.real.loss).toEqual({ values: [2, 1], mean: 1.5 });
    expect(report.sequences.shuffled.loss).toBeNull();
    const one = {
      ids: [5],
      maxLogSoftmax: [-1],
      loss: [],
      spectra: [Float32Array.of(0), Float32Array.of(0)],
    };
    expect(makeReport(one, one, 4).sequences.real.loss).toBeNull();
    expect(() => makeReport({ ...hand, loss: [1] }, hand, 4)).toThrow(/3 tokens but 1 losses/);
  });

  it('names the version of the package', () => {
    expect(laminarVersion).toBe(version);
  });

  it('refuses parts that do not fit together', () => {
    expect(() => makeReport(hand, { ...hand, ids: Int32Array.of(1, 2) }, 4)).toThrow(/equal lengths/);
    expect(() => makeReport(hand, hand, 4, { model: { layers: 2 } })).toThrow(/2 measured states.*has 3/);
    expect(() => makeReport({ ...hand, maxLogSoftmax: [-1] }, hand, 4)).toThrow(/3 tokens but 1 maximum/);
    const parts = { ...makeReport(hand, hand, 4), timings: {} } as unknown as ReportParts;
    const empty = { ids: [], maxLogSoftmax: [], layers: [] };
    expect(() => buildReport({ ...parts, sequences: { real: empty, shuffled: empty } })).toThrow(InputError);
  });
});
