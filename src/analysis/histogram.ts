import { NumericalError } from '../engine/errors.ts';

/** A density over equal bins: bin i reaches from edges[i] to edges[i + 1]; the last one includes its right edge. */
export interface Histogram {
  /** [bins + 1], ascending. */
  edges: number[];
  /** [bins]; its sum over bins of density · width is 1. */
  density: number[];
}

/**
 * The maximum number of bins. A narrow cluster with far outliers needs range / width bins, which may be any number;
 * numpy then fills the memory. With this limit a degenerate model still gets its report.
 */
const maxBins = 65536;

/**
 * The density by the rule of Freedman and Diaconis ("On the histogram as a density estimator", 1981): bins of width
 * 2 · IQR · n^(−1/3). The same edges and densities as `numpy.histogram(values, bins='fd', density=True)` gives for
 * float64 values; float32 values are widened first, so that a reader of report.json finds the same histogram.
 * Equal quartiles give one bin; equal values one bin from value − ½ to value + ½.
 * @param values at least one, all finite, in any order
 * @throws NumericalError if there are no values, one is not finite, or they are too close together for their bins
 */
export function freedmanDiaconis(values: ArrayLike<number>): Histogram {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) throw new NumericalError('a histogram needs at least one value; there is none');
  const bad = sorted.find((value) => !Number.isFinite(value));
  if (bad !== undefined)
    throw new NumericalError(`a histogram needs finite values; one of ${sorted.length} is ${bad}`);

  let first = sorted[0]!;
  let last = sorted.at(-1)!;
  if (first === last) [first, last] = [first - 0.5, last + 0.5];
  const spread = percentile(sorted, 75) - percentile(sorted, 25);
  const width = 2 * spread * sorted.length ** (-1 / 3);
  const bins = width > 0 ? Math.min(Math.ceil((last - first) / width), maxBins) : 1;
  const edges = evenlySpaced(first, last, bins);
  const counts = countInBins(sorted, edges);
  return {
    edges,
    density: counts.map((count, bin) => count / (edges[bin + 1]! - edges[bin]!) / sorted.length),
  };
}

/** numpy's default percentile: linear between the two order statistics around (n − 1) · percent / 100. */
export function percentile(sorted: Float64Array, percent: number): number {
  const position = (sorted.length - 1) * (percent / 100);
  const below = Math.floor(position);
  const weight = position - below;
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  // From the nearer end, as numpy does, so that equal neighbours come out unchanged.
  return weight >= 0.5 ? high - (high - low) * (1 - weight) : low + (high - low) * weight;
}

/** `numpy.linspace(first, last, bins + 1)`. */
function evenlySpaced(first: number, last: number, bins: number): number[] {
  const step = (last - first) / bins;
  const edges = Array.from({ length: bins + 1 }, (_, index) => index * step + first);
  edges[bins] = last;
  if (edges.some((edge, index) => index > 0 && edge <= edges[index - 1]!))
    throw new NumericalError(`the values from ${first} to ${last} are too close together for ${bins} bins`);
  return edges;
}

/** How many values lie in each bin; a value on an inner edge belongs to the bin that it opens. */
function countInBins(sorted: Float64Array, edges: readonly number[]): number[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  let bin = 0;
  for (const value of sorted) {
    while (bin < counts.length - 1 && value >= edges[bin + 1]!) bin += 1;
    counts[bin]! += 1;
  }
  return counts;
}
