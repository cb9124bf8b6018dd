import { describe, expect, test } from 'vitest';
import {
  gride,
  maximumLikelihood,
  neighboursNeeded,
  twoNearest,
} from '../../../src/analysis/measures/intrinsic-dimension.ts';
import type { NearestDistances } from '../../../src/analysis/measures/nearest.ts';
import { distinctRows } from '../../../src/analysis/measures/rows.ts';
import { powerLaw } from '../../../src/analysis/measures/spectral.ts';

/** The distances of points on a line to their nearest others. */
function onLine(points: readonly number[]): NearestDistances {
  const ranks = neighboursNeeded(points.length);
  const distances = new Float64Array(ranks * points.length);
  points.forEach((point, index) => {
    points
      .flatMap((other, place) => (place === index ? [] : [Math.abs(point - other)]))
      .sort((a, b) => a - b)
      .slice(0, ranks)
      .forEach((distance, rank) => (distances[rank * points.length + index] = distance));
  });
  return { points: points.length, ranks, distances };
}

describe('intrinsic dimensions', () => {
  test('of points at random places of a line are near 1, at every scale', () => {
    let state = 9;
    const random = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
    const nearest = onLine(Array.from({ length: 400 }, random));
    const { fitted, ml, ml_error } = twoNearest(nearest)!;
    expect(Math.abs(fitted! - 1)).toBeLessThan(0.15);
    expect(Math.abs(ml! - 1)).toBeLessThan(0.15);
    expect(ml_error).toBeCloseTo(ml! / 20, 12);
    const curve = gride(nearest)!;
    expect(curve.map(({ n1, n2 }) => [n1, n2])).toEqual([
      [1, 2],
      [2, 4],
      [4, 8],
      [8, 16],
      [16, 32],
      [32, 64],
    ]);
    curve.forEach(({ dimension, error, scale }, index) => {
      expect(Math.abs(dimension! - 1)).toBeLessThan(0.2);
      expect(error).toBeGreaterThan(0);
      expect(scale).toBeGreaterThan(curve[index - 1]?.scale ?? 0);
    });
    expect(Math.abs(maximumLikelihood(nearest)!.dimension! - 1)).toBeLessThan(0.15);
  });

  test('of fewer than three points are null', () => {
    for (const points of [[0], [0, 1]]) {
      const nearest = onLine(points);
      expect([nearest.ranks, twoNearest(nearest), gride(nearest), maximumLikelihood(nearest)]).toEqual([
        0,
        null,
        null,
        null,
      ]);
    }
  });

  test('of three points use the two neighbours that there are', () => {
    const nearest = onLine([0, 1, 3]);
    // μ = 3, 2, 3/2.
    expect(twoNearest(nearest)!.ml).toBeCloseTo(2 / Math.log(9), 12);
    expect(gride(nearest)!.map(({ n2, kept }) => [n2, kept])).toEqual([[2, 3]]);
    expect(maximumLikelihood(nearest)).toEqual({
      k: 2,
      dimension: expect.closeTo(3 / Math.log(9), 12) as number,
    });
  });

  test('of points whose neighbours are all as far are null', () => {
    const nearest = { points: 4, ranks: 3, distances: new Float64Array(12).fill(2) };
    expect(twoNearest(nearest)).toEqual({ fitted: null, ml: null, ml_error: null });
    expect(gride(nearest)).toMatchObject([{ n1: 1, dimension: null, error: null, scale: 2 }]);
    expect(maximumLikelihood(nearest)).toEqual({ k: 3, dimension: null });
  });
});

test('distinct rows are the first of equal ones; minus zero is zero', () => {
  const rows = [
    [1, 0],
    [1, -0],
    [0, 1],
    [1, 0],
    [1, 1e-300],
    [-1, 0],
    [0, 1],
  ];
  expect(distinctRows(Float64Array.from(rows.flat()), 2)).toEqual([0, 2, 4, 5]);
  expect(distinctRows(Float32Array.from(rows.flat()), 2)).toEqual([0, 2, 5]);
});

describe('alpha-ReQ', () => {
  const spectrum = (length: number, alpha: number) =>
    Float64Array.from({ length }, (_, index) => (index + 1) ** (-alpha / 2));

  test('of an exact power law is its exponent', () => {
    const { alpha, alpha_ordinary, r2, first, last } = powerLaw(spectrum(300, 1.3), 0)!;
    expect([alpha, alpha_ordinary, r2].map((value) => Number(value.toFixed(10)))).toEqual([1.3, 1.3, 1]);
    expect([first, last]).toEqual([12, 100]);
  });

  test('is null where the window is short or reaches rounding', () => {
    expect(powerLaw(spectrum(37, 1), 0)).toBeNull();
    expect(powerLaw(spectrum(38, 1), 0)).not.toBeNull();
    expect(powerLaw(spectrum(38, 1), 0.3)).toBeNull();
  });
});
