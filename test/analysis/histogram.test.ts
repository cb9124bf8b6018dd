import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { freedmanDiaconis, percentile } from '../../src/analysis/histogram.ts';
import { NumericalError } from '../../src/engine/errors.ts';
import { readExpected } from '../support/golden-expectations.ts';

/** What numpy 2.4.6 gives: `numpy.histogram(numpy.asarray(values, float), bins='fd', density=True)`. */
const madeByNumpy = [
  {
    values: [1, 2, 2, 3, 3, 3, 4, 4, 5, 9],
    edges: [1.0, 2.6, 4.2, 5.800000000000001, 7.4, 9.0],
    density: [0.1875, 0.3125, 0.06249999999999998, 0.0, 0.06250000000000001],
  },
  { values: [0, 1, 2, 3], edges: [0.0, 1.5, 3.0], density: [0.3333333333333333, 0.3333333333333333] },
  { values: [0.5, 0.5, 0.5, 0.5, 7], edges: [0.5, 7.0], density: [0.15384615384615385] },
  { values: [-1.5], edges: [-2.0, -1.0], density: [1.0] },
];

describe('freedmanDiaconis', () => {
  it.each(madeByNumpy)('gives what numpy gives for $values', ({ values, edges, density }) => {
    expect(freedmanDiaconis(values)).toEqual({ edges, density });
    expect(freedmanDiaconis([...values].reverse())).toEqual({ edges, density });
  });

  // numpy 2.4.6 on `real.max_log_softmax` and `shuffled.max_log_softmax` of test/golden/alice-gpt2, as float64.
  it.each([
    {
      sequence: 'real',
      edges: [
        -3.3464107513427734, -2.974976317413772, -2.603541883484771, -2.2321074495557696, -1.8606730156267683,
        -1.4892385816977671, -1.1178041477687657, -0.7463697138397647, -0.37493527991076325,
        -0.003500845981761813,
      ],
      counts: [3, 7, 34, 37, 42, 37, 31, 32, 33],
    },
    {
      sequence: 'shuffled',
      edges: [
        -2.9825470447540283, -2.5568477331461117, -2.1311484215381955, -1.7054491099302789,
        -1.2797497983223625, -0.854050486714446, -0.4283511751065294, -0.0026518634986132383,
      ],
      counts: [19, 48, 32, 43, 29, 47, 38],
    },
  ])('gives what numpy gives for the maximum log-softmax of alice-gpt2, $sequence', async (expected) => {
    const { sequences } = await readExpected('alice-gpt2');
    const values = sequences.find(({ name }) => name === expected.sequence)!.maxLogSoftmax;
    const { edges, density } = freedmanDiaconis(values);
    expect(edges).toEqual(expected.edges);
    const counts = density.map((height, bin) => height * (edges[bin + 1]! - edges[bin]!) * values.length);
    expect(counts.map(Math.round)).toEqual(expected.counts);
  });

  it('covers the values and holds all of them', () => {
    const values = fc.array(fc.double({ min: -30, max: 0, noNaN: true }), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(values, (drawn) => {
        // Values a few units in the last place apart are refused, as numpy refuses them.
        const rounded = drawn.map((value) => Math.round(value * 1e6) / 1e6);
        const { edges, density } = freedmanDiaconis(rounded);
        expect(density).toHaveLength(edges.length - 1);
        expect(edges[0]).toBeLessThanOrEqual(Math.min(...rounded));
        expect(edges.at(-1)).toBeGreaterThanOrEqual(Math.max(...rounded));
        const area = density.reduce((sum, height, bin) => sum + height * (edges[bin + 1]! - edges[bin]!), 0);
        expect(area).toBeCloseTo(1, 9);
      }),
    );
  });

  it('bounds the bins of a tight cluster with a far outlier', () => {
    const { density } = freedmanDiaconis([-1e-12, -2e-12, -3e-12, -4e-12, -5e-12, -6e-12, -20]);
    expect(density).toHaveLength(65536);
  });

  it('refuses what has no histogram', () => {
    expect(() => freedmanDiaconis([])).toThrow(NumericalError);
    expect(() => freedmanDiaconis([1, Number.NaN, 2])).toThrow(/finite.*NaN/);
    expect(() => freedmanDiaconis([1, -Infinity, 2])).toThrow(/finite.*-Infinity/);
    const next = 1 + Number.EPSILON;
    expect(() => freedmanDiaconis([1, 1, 1, 1, 1, 1, next, next, next, next, next, next])).toThrow(
      /too close/,
    );
  });
});

describe('percentile', () => {
  it('interpolates between the order statistics', () => {
    const sorted = Float64Array.of(1, 2, 4, 8);
    expect([0, 25, 50, 75, 100].map((percent) => percentile(sorted, percent))).toEqual([1, 1.75, 3, 5, 8]);
  });
});
