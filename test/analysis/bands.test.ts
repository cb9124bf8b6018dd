import { describe, expect, it } from 'vitest';
import { bandsOf } from '../../src/analysis/bands.ts';
import type { BandOfNumber } from '../../src/analysis/bands.ts';
import type { SequenceReports } from '../../src/analysis/report.ts';
import { makeReport } from '../support/report-fixture.ts';

/** A sequence of two layers: the second has no variance where `flat` says so. */
function sequenceOf(first: readonly number[], flat: boolean, maxima: readonly number[]) {
  const spectra = [Float32Array.from(first), Float32Array.from(flat ? first.map(() => 0) : first)];
  const hand = { ids: Int32Array.of(5, 7, 5, 6), maxLogSoftmax: Float32Array.from(maxima), spectra };
  return makeReport(hand, hand, 6).sequences.real;
}

const sequences: SequenceReports = {
  real: sequenceOf([4, 2, 1, 0.5], false, [-1, -2, -1, -2]),
  shuffled: sequenceOf([4, 4, 4, 0.5], false, [-1, -1, -1, -1]),
  shuffled_2: sequenceOf([4, 1, 0.5, 0.25], true, [-3, -3, -3, -3]),
  shuffled_3: sequenceOf([4, 2, 2, 2], false, [-2, -2, -2, -2]),
};
const shuffles = ['shuffled', 'shuffled_2', 'shuffled_3'];
const group = { name: 'shuffled', kind: 'shuffled', block: 1, sequences: shuffles } as const;

/** The plain way, for the values of the named sequences. */
function reference(values: readonly (number | null)[], real: number | null): BandOfNumber | null {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (known.length === 0) return null;
  const middle = (known.length - 1) / 2;
  return {
    min: Math.min(...known),
    median: (known[Math.floor(middle)]! + known[Math.ceil(middle)]!) / 2,
    max: Math.max(...known),
    share_above: real === null ? null : known.filter((value) => value > real).length / known.length,
  };
}

describe('bandsOf', () => {
  it('gives minimum, median, maximum and the share above the text for every number of every layer', () => {
    const { shuffled } = bandsOf(sequences, [group]);
    expect(shuffled).toMatchObject({ kind: 'shuffled', block: 1, sequences: shuffles });
    const names = [
      'effective_dimension',
      'rank',
      'participation_ratio',
      'entropy_rank',
      'stable_rank',
      'percent_of_rank',
      'top_percent',
      'effective_index',
    ] as const;
    for (const [layer, band] of shuffled!.layers.entries()) {
      expect(band.layer).toBe(layer);
      for (const name of names) {
        const values = shuffles.map((sequence) => sequences[sequence]!.layers[layer]![name]);
        expect(band[name], name).toEqual(reference(values, sequences.real.layers[layer]![name]));
      }
    }
    // Of the second layer one shuffle has no variance.
    expect(shuffled!.layers[1]!.participation_ratio!.min).toBeGreaterThan(0);
    expect(shuffled!.layers[1]!.effective_dimension!.min).toBe(0);
    expect(shuffled!.max_log_softmax_mean).toEqual({ min: -3, median: -2, max: -1, share_above: 1 / 3 });
  });

  it('takes the mean of the middle two, and leaves the text out of the share of a group that holds it', () => {
    const windows = { name: 'window', kind: 'window', block: null, sequences: ['real', 'shuffled'] } as const;
    const { window } = bandsOf(sequences, [windows]);
    const [real, other] = ['real', 'shuffled'].map((name) => sequences[name]!.layers[0]!.stable_rank!);
    expect(window!.layers[0]!.stable_rank).toEqual({
      min: Math.min(real!, other!),
      median: (real! + other!) / 2,
      max: Math.max(real!, other!),
      share_above: 1,
    });
    const alone = bandsOf(sequences, [{ ...group, name: 'block_9', sequences: ['real'] }])['block_9']!;
    expect(alone.layers[0]!.rank).toEqual({ min: 4, median: 4, max: 4, share_above: 0 });
  });

  it('has bands of views and of named activations, and none of what is a place', () => {
    const layerOf = (share: number) => ({
      ...sequences.real.layers[0]!,
      tokens: { first: share, median: 1, max: 4, max_token: 2 },
      component_1: {
        share,
        gap: 0.5,
        tokens: [{ token: 1, share: 0.9 }],
        next_token_share: null,
        dimensions: [{ dimension: 3, share: 0.8 }],
        next_dimension_share: null,
      },
    });
    const withViews = (share: number, isSame: boolean) => {
      const layer = layerOf(share);
      const view = { ...layer, tokens: undefined, rows: 3, columns: 6, rank: 2 };
      return {
        ...sequences.real,
        layers: [layer],
        views: {
          without_outlier_dimensions: { layers: [isSame ? ({ layer: 0, same_as: 'all' } as const) : view] },
        },
        hooks: {
          hook_embed: [{ ...sequences.real.layers[0]!, layer: null, name: 'hook_embed', columns: 6 }],
        },
      };
    };
    const reports = { real: withViews(0.5, true), shuffled: withViews(0.25, false) };
    const band = bandsOf(reports, [{ ...group, sequences: ['shuffled'] }])['shuffled']!;
    expect(band.layers[0]).toMatchObject({
      token_norm_first: { min: 0.25, median: 0.25, max: 0.25, share_above: 0 },
      component_1_share: { min: 0.25, median: 0.25, max: 0.25, share_above: 0 },
    });
    const keys = Object.keys(band.layers[0]!);
    for (const place of ['token_norm_max_token', 'component_1_token', 'component_1_dimension'])
      expect(keys).not.toContain(place);
    const view = band.views!.without_outlier_dimensions!.layers[0]!;
    expect(view.rank).toEqual({ min: 2, median: 2, max: 2, share_above: 0 });
    expect(Object.keys(view)).not.toContain('token_norm_first');
    expect(band.hooks!['hook_embed']![0]).toMatchObject({ layer: null, rank: { min: 4, max: 4 } });
  });
});
