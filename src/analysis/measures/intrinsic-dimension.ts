import type { NearestDistances } from './nearest.ts';

/** Estimators of the intrinsic dimension from distances to nearest neighbours, in float64. */

export interface TwoNearest {
  /** By the slope of the empirical distribution's nine tenths; null if the ratios do not vary. */
  fitted: number | null;
  /** By maximum likelihood; null as above. */
  ml: number | null;
  ml_error: number | null;
}

/** One point of Gride's scale curve. */
export interface GridePoint {
  n1: number;
  n2: number;
  /** null if the ratios do not vary. */
  dimension: number | null;
  error: number | null;
  /** The mean distance to neighbours n1 and n2. */
  scale: number;
  /** Points whose ratio is not far out. */
  kept: number;
}

export interface MaximumLikelihood {
  /** Neighbours of each point. */
  k: number;
  dimension: number | null;
}

/** The minimum number of points for an estimate. */
export const MIN_POINTS = 3;
/** The largest neighbour that Gride looks at. */
const MAX_NEIGHBOUR = 64;
const MLE_NEIGHBOURS = 20;
const FITTED_PART = 0.9;

/** How many neighbours of each point the estimators need, for a number of points. */
export function neighboursNeeded(points: number): number {
  return points < MIN_POINTS ? 0 : Math.min(MAX_NEIGHBOUR, points - 1);
}

/**
 * TwoNN, from the ratio μ of the second neighbour's distance to the first's (Facco et al., Scientific Reports 7, 2017; the
 * fit and the likelihood as DADApy has them).
 * @returns null for fewer than three points
 */
export function twoNearest(nearest: NearestDistances): TwoNearest | null {
  const { points } = nearest;
  if (points < MIN_POINTS) return null;
  const logs = logRatios(nearest, 1, 2);
  const ml = finite((points - 1) / sum(logs));
  const sorted = logs.sort();
  let [xy, xx] = [0, 0];
  for (let i = 1; i <= Math.floor(FITTED_PART * points); i++) {
    const x = sorted[i - 1]!;
    xy -= x * Math.log(1 - i / points);
    xx += x * x;
  }
  return { fitted: finite(xy / xx), ml, ml_error: ml && ml / Math.sqrt(points) };
}

/**
 * Gride: the likelihood of the ratio of distances to neighbours n1 and 2 n1, for n1 = 1, 2, 4 … It gives the dimension as a
 * function of the scale (Denti et al., Scientific Reports 12, 2022; the filter and the error are DADApy's).
 * @returns null for fewer than three points
 */
export function gride(nearest: NearestDistances): GridePoint[] | null {
  const { points, ranks } = nearest;
  if (points < MIN_POINTS) return null;
  const curve: GridePoint[] = [];
  for (let n1 = 1; 2 * n1 <= ranks; n1 *= 2) {
    const n2 = 2 * n1;
    const logs = logRatios(nearest, n1, n2);
    const kept = withoutFarOut(logs);
    const dimension = mostLikely(kept, n1, n2);
    curve.push({
      n1,
      n2,
      dimension,
      error: dimension && gridError(logs, dimension, n2 - n1 - 1),
      scale: (sum(ofRank(nearest, n1)) + sum(ofRank(nearest, n2))) / (2 * points),
      kept: kept.length,
    });
  }
  return curve;
}

/**
 * The maximum-likelihood estimator of Levina and Bickel (NIPS 2004), its inverse averaged over the points (the harmonic
 * mean of MacKay and Ghahramani).
 * @returns null for fewer than three points
 */
export function maximumLikelihood(nearest: NearestDistances): MaximumLikelihood | null {
  const { points } = nearest;
  if (points < MIN_POINTS) return null;
  const k = Math.min(MLE_NEIGHBOURS, points - 1);
  let total = 0;
  for (let j = 1; j < k; j++) total += sum(logRatios(nearest, j, k));
  return { k, dimension: finite((points * (k - 1)) / total) };
}

/** ln(r_to / r_from) of every point. */
function logRatios(nearest: NearestDistances, from: number, to: number): Float64Array {
  const near = ofRank(nearest, from);
  const far = ofRank(nearest, to);
  return near.map((distance, point) => Math.log(far[point]! / distance));
}

/** The distances of all points to their neighbour number `rank`, counted from 1. */
function ofRank({ distances, points }: NearestDistances, rank: number): Float64Array {
  return distances.subarray((rank - 1) * points, rank * points);
}

/** The logarithms of those ratios that lie below 20 (q95 − q50) + q50. */
function withoutFarOut(logs: Float64Array): Float64Array {
  const ratios = logs.map(Math.exp).sort();
  const [median, high] = [percentile(ratios, 0.5), percentile(ratios, 0.95)];
  const limit = 20 * (high - median) + median;
  return logs.filter((log) => Math.exp(log) < limit);
}

/** Linear between order statistics, as numpy's percentile. */
function percentile(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (place - Math.floor(place)) * (above - below);
}

/**
 * The root d of Σ [(n2 − 1) t − (n2 − n1 − 1) t / (1 − e^−t)] = M − 1, t = d ln μ. The left side rises, and
 * 1 ≤ t / (1 − e^−t) ≤ 1 + t gives a bracket. @returns null if no ratio varies
 */
function mostLikely(logs: Float64Array, n1: number, n2: number): number | null {
  const between = n2 - n1 - 1;
  const goal = logs.length - 1;
  const total = sum(logs);
  if (goal < 1 || !(total > 0)) return null;
  const excess = (dimension: number) => {
    let value = -goal;
    for (const log of logs) value += (n2 - 1) * dimension * log - between * growth(dimension * log);
    return value;
  };
  const scaled = between * logs.length + goal;
  let low = scaled / ((n2 - 1) * total);
  let high = scaled / (n1 * total);
  for (let step = 0; step < 60 && high - low > 1e-14 * high; step++) {
    const middle = (low + high) / 2;
    if (excess(middle) < 0) low = middle;
    else high = middle;
  }
  return finite((low + high) / 2);
}

/** t / (1 − e^−t), which is 1 at 0. */
function growth(t: number): number {
  return t === 0 ? 1 : t / -Math.expm1(-t);
}

/** [N / d² + (n2 − n1 − 1) Σ (ln μ / (1 − μ^−d))² μ^−d]^−½, over all points. */
function gridError(logs: Float64Array, dimension: number, between: number): number {
  let information = logs.length / dimension ** 2;
  for (const log of logs) {
    const t = dimension * log;
    information += between * (growth(t) / dimension) ** 2 * Math.exp(-t);
  }
  return 1 / Math.sqrt(information);
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** null for what a division by zero gave: ratios that are all 1 tell no dimension. */
function finite(value: number): number | null {
  return Number.isFinite(value) && value > 0 ? value : null;
}
