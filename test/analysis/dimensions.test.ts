import { describe, expect, it } from 'vitest';
import { cumulativePercent, effectiveDimension, layerDimensions } from '../../src/analysis/dimensions.ts';
import { InputError, NumericalError } from '../../src/engine/errors.ts';
import { readExpected } from '../support/golden-expectations.ts';

const goldenCases = [
  'alice-gpt2',
  'alice-pythia',
  'gpt2-f16',
  'gpt2-inner-gelu',
  'gpt2-inverse-layer-scale',
  'gpt2-massive',
  'gpt2-noprefix-tied',
  'gpt2-one-token',
  'gpt2-prefix-f32',
  'neox-bf16-sharded',
  'neox-f16',
  'neox-f32-sequential',
  'neox-full-rotary',
];

describe.each(goldenCases)('dimensions of the golden spectra of %s', (name) => {
  it('equal the expected effective dimension at every threshold, and the rank', async () => {
    const expected = await readExpected(name);
    expect(expected.thresholds).toEqual([50, 90, 95, 99]);
    expect(expected.sequences.length).toBeGreaterThan(0);
    for (const sequence of expected.sequences) {
      const { rows, columns } = sequence;
      const measured = sequence.spectra.map((singularValues) =>
        expected.thresholds.map((threshold) => layerDimensions(singularValues, rows, columns, threshold)),
      );
      expect(measured.map((layer) => layer.map((at) => at.effective_dimension))).toEqual(sequence.effective);
      expect(measured.map((layer) => layer[0]!.rank)).toEqual(sequence.rank);
    }
  });
});

describe('layerDimensions', () => {
  it('follows the definitions on a spectrum worked by hand', () => {
    // Variances 16, 4, 4, 1 of 25: 64, 80, 96, 100 percent.
    const singularValues = Float32Array.of(4, 2, 2, 1);
    expect([...cumulativePercent(singularValues)]).toEqual([64, 80, 96, 100]);
    const dimensions = layerDimensions(singularValues, 10, 4, 95);
    expect(dimensions).toMatchObject({
      effective_dimension: 3,
      effective_index: 2,
      rank: 4,
      rank_tolerance: 4 * 10 * 2 ** -23,
      near_rank_tolerance: 0,
      percent_of_rank: 75,
      components: 4,
      top_percent: 64,
      stable_rank: 25 / 16,
      notebook_percent: 50,
    });
    expect(dimensions.participation_ratio).toBeCloseTo(625 / (256 + 16 + 16 + 1), 12);
    const entropy = -[16, 4, 4, 1].reduce((sum, part) => sum + (part / 25) * Math.log(part / 25), 0);
    expect(dimensions.entropy_rank).toBeCloseTo(Math.exp(entropy), 12);
  });

  it('needs the cumulative percent to exceed the threshold, not to reach it', () => {
    const singularValues = Float32Array.of(4, 2, 2, 1);
    expect(layerDimensions(singularValues, 4, 4, 64).effective_dimension).toBe(2);
    expect(layerDimensions(singularValues, 4, 4, 63.9).effective_dimension).toBe(1);
    expect(layerDimensions(singularValues, 4, 4, 0).effective_dimension).toBe(1);
  });

  it('takes all components where nothing exceeds the threshold', () => {
    expect(layerDimensions(Float32Array.of(4, 2, 0), 3, 5, 100).effective_dimension).toBe(3);
    expect(effectiveDimension([60, 99.9999], 99.99995)).toBe(2);
    // A sum that rounding carried past 100 early.
    expect(effectiveDimension([50, 100.00000000000001, 100.00000000000001], 100)).toBe(3);
  });

  it('holds a cumulative percent from elsewhere against the threshold', () => {
    const cumulative = Float32Array.of(94, 94.5, 97, 100);
    expect(layerDimensions(Float32Array.of(4, 2, 2, 1), 4, 4, 95, cumulative).effective_dimension).toBe(3);
    expect(layerDimensions(Float32Array.of(4, 2, 2, 1), 4, 4, 94.2, cumulative).effective_dimension).toBe(2);
    expect(() => layerDimensions(Float32Array.of(4, 2, 2, 1), 4, 4, 95, cumulative.subarray(1))).toThrow(
      InputError,
    );
  });

  it('counts a value at the tolerance out, one above it in, and both as near', () => {
    const tolerance = 8 * 2 ** -23;
    const singularValues = Float64Array.of(1, 2.1 * tolerance, 1.01 * tolerance, tolerance, 0.4 * tolerance);
    const dimensions = layerDimensions(singularValues, 8, 5, 95);
    expect(dimensions.rank_tolerance).toBe(tolerance);
    expect(dimensions.rank).toBe(3);
    expect(dimensions.near_rank_tolerance).toBe(2);
  });

  it('is the same of a matrix times a number, however large or small', () => {
    const values = Float64Array.of(4, 2, 2, 1);
    const { rank_tolerance, ...measures } = layerDimensions(values, 10, 4, 95);
    for (const factor of [1e-300, 1e-160, 1e160, 1e300]) {
      const scaled = layerDimensions(
        values.map((value) => value * factor),
        10,
        4,
        95,
      );
      for (const [name, value] of Object.entries(measures))
        expect(scaled[name as keyof typeof measures], name).toBeCloseTo(value!, 9);
      expect(scaled.rank_tolerance / factor).toBeCloseTo(rank_tolerance, 9);
    }
  });

  it('counts more than the rank at a threshold of 100, where the rank is not full', () => {
    const dimensions = layerDimensions(Float32Array.of(4, 2, 2, 1e-9), 10, 4, 100);
    expect(dimensions).toMatchObject({ effective_dimension: 4, effective_index: 3, rank: 3 });
    expect(dimensions.percent_of_rank).toBeCloseTo(400 / 3, 9);
    expect(dimensions.notebook_percent).toBeCloseTo(100, 9);
  });

  it('has no percents of a rank of 0', () => {
    const dimensions = layerDimensions(Float32Array.of(1), 2 ** 23, 1, 95);
    expect(dimensions).toMatchObject({
      effective_dimension: 1,
      rank: 0,
      percent_of_rank: null,
      notebook_percent: null,
    });
  });

  it('finds equal shares to be as many dimensions as there are components', () => {
    const dimensions = layerDimensions(new Float32Array(64).fill(3), 64, 100, 95);
    expect(dimensions.effective_dimension).toBe(61);
    expect(dimensions.participation_ratio).toBeCloseTo(64, 9);
    expect(dimensions.entropy_rank).toBeCloseTo(64, 9);
    expect(dimensions.stable_rank).toBeCloseTo(64, 9);
  });

  it.each([
    ['one token', 1, 48, new Float32Array(1)],
    ['equal rows', 5, 3, new Float32Array(3)],
  ])('measures nothing without variance: %s', (_, rows, columns, singularValues) => {
    expect(layerDimensions(singularValues, rows, columns, 95)).toEqual({
      effective_dimension: 0,
      effective_index: null,
      rank: 0,
      rank_tolerance: 0,
      near_rank_tolerance: 0,
      percent_of_rank: null,
      components: Math.min(rows, columns),
      top_percent: null,
      participation_ratio: null,
      entropy_rank: null,
      stable_rank: null,
      notebook_percent: null,
    });
    expect([...cumulativePercent(singularValues)]).toEqual(Array(singularValues.length).fill(0));
  });

  it.each([Number.NaN, -1, 100.5, Infinity])('refuses the threshold %d', (threshold) => {
    expect(() => layerDimensions(Float32Array.of(1), 1, 1, threshold)).toThrow(/threshold/);
  });

  it('refuses spectra that are none', () => {
    expect(() => layerDimensions(Float32Array.of(2, 1), 3, 3, 95)).toThrow(InputError);
    expect(() => layerDimensions(Float32Array.of(2, Number.NaN), 2, 3, 95)).toThrow(NumericalError);
    expect(() => layerDimensions(Float32Array.of(Infinity, 1), 2, 3, 95)).toThrow(NumericalError);
    expect(() => layerDimensions(Float32Array.of(1, -1), 2, 3, 95)).toThrow(NumericalError);
    expect(() => layerDimensions(Float32Array.of(1, 2), 2, 3, 95)).toThrow(/larger than the one before/);
  });
});
