import type { SingularValues } from '../dimensions.ts';

/** Measures that the singular values alone give, in float64. */

/** A power law fitted to the spectrum; see `powerLaw`. */
export interface PowerLaw {
  /** The window: λ_first … λ_last, counted from 1. */
  first: number;
  last: number;
  /** Minus the slope, each point weighted by 1 / i. */
  alpha: number;
  r2: number;
  /** The same with equal weights. */
  alpha_ordinary: number;
  r2_ordinary: number;
}

/** The window that alpha-ReQ's authors take for language models. */
const FIRST = 12;
const LAST = 100;
const MIN_POINTS = 8;

/** Σσ²: the whole variation of the centred matrix. */
export function variance(singularValues: SingularValues): number {
  let sum = 0;
  for (const value of singularValues) sum += value * value;
  return sum;
}

/**
 * (PR − 1) / (d − 1): how evenly the variance spreads over all d dimensions (Rudman et al., arXiv 2108.07344, whose
 * procedure comes to this).
 * @returns null without variance, or where there is one dimension only
 */
export function isoScore(participationRatio: number | null, columns: number): number | null {
  return participationRatio === null || columns < 2 ? null : (participationRatio - 1) / (columns - 1);
}

/**
 * exp(−Σ q ln q), q = σ / Σσ + 1e-7 over all singular values, zeros too, not normalised again (Garrido et al., arXiv
 * 2210.02885).
 * @returns null without variance
 */
export function rankMe(singularValues: SingularValues): number | null {
  const largest = singularValues[0] ?? 0;
  if (largest === 0) return null;
  let sum = 0;
  for (const value of singularValues) sum += value / largest;
  let entropy = 0;
  for (const value of singularValues) {
    const share = value / largest / sum + 1e-7;
    entropy -= share * Math.log(share);
  }
  return Math.exp(entropy);
}

/**
 * Minus the slope of ln λ_i on ln i, least squares over i = 12 … min(100, ⌊components / 2⌋) (Agrawal et al., α-ReQ,
 * NeurIPS 2022).
 * @param rankTolerance below which singular values are rounding
 * @returns null if the window has fewer than eight points, or reaches singular values that are rounding
 */
export function powerLaw(singularValues: SingularValues, rankTolerance: number): PowerLaw | null {
  const last = Math.min(LAST, Math.floor(singularValues.length / 2));
  if (last - FIRST + 1 < MIN_POINTS || !(singularValues[last - 1]! > rankTolerance)) return null;
  const points = Array.from({ length: last - FIRST + 1 }, (_, index) => {
    const i = FIRST + index;
    return { x: Math.log(i), y: 2 * Math.log(singularValues[i - 1]!), weight: 1 / i };
  });
  const weighted = fitLine(points);
  const ordinary = fitLine(points.map(({ x, y }) => ({ x, y, weight: 1 })));
  return {
    first: FIRST,
    last,
    alpha: -weighted.slope,
    r2: weighted.r2,
    alpha_ordinary: -ordinary.slope,
    r2_ordinary: ordinary.r2,
  };
}

function fitLine(points: readonly { x: number; y: number; weight: number }[]): { slope: number; r2: number } {
  let [total, sumX, sumY] = [0, 0, 0];
  for (const { x, y, weight } of points) {
    total += weight;
    sumX += weight * x;
    sumY += weight * y;
  }
  const [meanX, meanY] = [sumX / total, sumY / total];
  let [xx, xy, yy] = [0, 0, 0];
  for (const { x, y, weight } of points) {
    xx += weight * (x - meanX) ** 2;
    xy += weight * (x - meanX) * (y - meanY);
    yy += weight * (y - meanY) ** 2;
  }
  const slope = xy / xx;
  let residual = 0;
  for (const { x, y, weight } of points) residual += weight * (y - meanY - slope * (x - meanX)) ** 2;
  // Equal values lie on a flat line exactly.
  return { slope, r2: yy === 0 ? 1 : 1 - residual / yy };
}
