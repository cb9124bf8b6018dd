import { rowNorms } from '../views.ts';

/** What stands out in a matrix of states, before any view. */

export interface Outliers {
  /** Columns that hold a massive activation, ascending. */
  dimensions: number[];
  /** Massive activations in all. */
  entries: number;
  max_abs: number;
  /** Where it stands: its row and column, counted from 0; the first of equal ones. */
  max_token: number;
  max_dimension: number;
  /** The median of |a| over all entries. */
  median_abs: number;
  /** null if the median is 0. */
  max_over_median: number | null;
}

/** Euclidean norms of the rows. */
export interface TokenNorms {
  first: number;
  median: number;
  max: number;
  max_token: number;
}

/** An activation is massive where |a| > 100 and |a| ≥ 1000 · the median of |a| (Sun et al., arXiv 2402.17762). */
const MASSIVE = 100;
const MASSIVE_OVER_MEDIAN = 1000;

/** @param values row-major [rows · columns], at least one */
export function findOutliers(values: Float32Array | Float64Array, columns: number): Outliers {
  const magnitudes = values.slice();
  let largest = 0;
  for (let index = 0; index < values.length; index++) {
    const magnitude = Math.abs(values[index]!);
    magnitudes[index] = magnitude;
    if (magnitude > magnitudes[largest]!) largest = index;
  }
  const max = magnitudes[largest]!;
  const median = medianOf(magnitudes);
  const limit = MASSIVE_OVER_MEDIAN * median;
  const dimensions = new Set<number>();
  let entries = 0;
  if (max > MASSIVE && max >= limit) {
    values.forEach((value, index) => {
      const magnitude = Math.abs(value);
      if (!(magnitude > MASSIVE && magnitude >= limit)) return;
      dimensions.add(index % columns);
      entries += 1;
    });
  }
  return {
    dimensions: [...dimensions].sort((a, b) => a - b),
    entries,
    max_abs: max,
    max_token: Math.floor(largest / columns),
    max_dimension: largest % columns,
    median_abs: median,
    max_over_median: median > 0 ? max / median : null,
  };
}

/** @param values row-major [rows · columns], at least one row */
export function tokenNorms(values: Float32Array | Float64Array, columns: number): TokenNorms {
  const norms = rowNorms(values, columns);
  let largest = 0;
  norms.forEach((norm, token) => {
    if (norm > norms[largest]!) largest = token;
  });
  const [first, max] = [norms[0]!, norms[largest]!];
  return { first, median: medianOf(norms), max, max_token: largest };
}

/** The mean of the middle two for an even count. Overwrites the values: selects, because sorting them takes longer. */
export function medianOf(values: Float32Array | Float64Array): number {
  const middle = values.length >> 1;
  select(values, middle);
  const upper = values[middle]!;
  if (values.length % 2 === 1) return upper;
  let lower = -Infinity;
  for (let index = 0; index < middle; index++) lower = Math.max(lower, values[index]!);
  return lower + (upper - lower) / 2;
}

/** Puts the value of this rank at its place, smaller ones before it and larger ones after (Hoare's selection). */
function select(values: Float32Array | Float64Array, rank: number): void {
  let [first, last] = [0, values.length - 1];
  while (first < last) {
    const pivot = values[(first + last) >> 1]!;
    let [low, high] = [first, last];
    while (low <= high) {
      while (values[low]! < pivot) low += 1;
      while (values[high]! > pivot) high -= 1;
      if (low > high) break;
      const held = values[low]!;
      values[low++] = values[high]!;
      values[high--] = held;
    }
    if (rank <= high) last = high;
    else if (rank >= low) first = low;
    else return;
  }
}
