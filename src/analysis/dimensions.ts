import { InputError, NumericalError } from '../engine/errors.ts';
import { checkThreshold } from './threshold.ts';

/** How many dimensions one layer's states use: the fields of one layer in report.json. */
export interface LayerDimensions {
  /** Components needed for the cumulative percent of variance to exceed the threshold; 0 without variance. */
  effective_dimension: number;
  /** effective_dimension − 1, the zero-based index that the notebook plots; null without variance. */
  effective_index: number | null;
  /** How many singular values exceed `rank_tolerance`. */
  rank: number;
  /** σ₁ · max(rows, columns) · 2⁻²³, the default of torch.linalg.matrix_rank for float32. */
  rank_tolerance: number;
  /** How many singular values lie within a factor 2 of `rank_tolerance`, where rounding may decide whether they count. */
  near_rank_tolerance: number;
  /** 100 · effective_dimension / rank; null if the rank is 0. */
  percent_of_rank: number | null;
  /** min(rows, columns), the number of singular values. */
  components: number;
  /** The percent of the variance that the first component holds; null without variance. */
  top_percent: number | null;
  /** (Σσ²)² / Σσ⁴; null without variance. */
  participation_ratio: number | null;
  /** exp(−Σ p ln p) with p = σ² / Σσ²; null without variance. */
  entropy_rank: number | null;
  /** Σσ² / σ₁²; null without variance. */
  stable_rank: number | null;
  /** 100 · effective_index / rank, which the notebook plots; null if the rank is 0. */
  notebook_percent: number | null;
}

/** The measures of a layer, in the order of report.json and of profile.csv. */
export const measureNames = [
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
] as const satisfies readonly (keyof LayerDimensions)[];

/** Singular values as the GPU gives them, or as a float64 reference does. */
export type SingularValues = Float32Array | Float64Array;

/** The spacing of float32 numbers at 1. */
const float32Epsilon = 2 ** -23;

/**
 * The running sum of the percents of variance, percent_k = 100 · σ_k² / Σσ², in float64.
 * @param singularValues descending, [components]
 * @returns [components], ending at 100 except for rounding; all zeros if there is no variance
 */
export function cumulativePercent(singularValues: SingularValues): Float64Array<ArrayBuffer> {
  const cumulative = new Float64Array(singularValues.length);
  const largest = singularValues[0] ?? 0;
  if (largest === 0) return cumulative;
  const total = sumOfSquares(singularValues, largest);
  let sum = 0;
  singularValues.forEach((value, index) => {
    sum += (100 * (value / largest) ** 2) / total;
    cumulative[index] = sum;
  });
  return cumulative;
}

/**
 * How many leading components it takes until the cumulative percent exceeds the threshold. In numpy it is
 * `np.where(cumulative > threshold)[0][0] + 1`, which is an IndexError if nothing exceeds the threshold. Here all
 * components are needed then. They are also needed at a threshold of 100, which the sum could exceed only by rounding.
 * @param cumulative ascending percents, [components]
 */
export function effectiveDimension(
  cumulative: Float32Array | Float64Array | readonly number[],
  threshold: number,
): number {
  if (threshold >= 100) return cumulative.length;
  const index = cumulative.findIndex((percent) => percent > threshold);
  return index < 0 ? cumulative.length : index + 1;
}

/**
 * Measures one layer from the singular values of its centred states, on the host and in float64. Formulas are at the fields
 * of `LayerDimensions`, and their sources in `measureTable`.
 * @param singularValues descending, [min(rows, columns)]
 * @param rows tokens T of the matrix that was decomposed
 * @param columns width d of that matrix
 * @param threshold percent of the variance that the effective dimension must exceed, 0 to 100
 * @param cumulative the GPU's own cumulative percent, [min(rows, columns)], to compare with the threshold; if absent,
 * it is computed here from the singular values
 * @throws InputError if the threshold or the shapes cannot be meant
 * @throws NumericalError if the singular values are not finite, negative or not in descending order
 */
export function layerDimensions(
  singularValues: SingularValues,
  rows: number,
  columns: number,
  threshold: number,
  cumulative?: Float32Array | Float64Array,
): LayerDimensions {
  checkThreshold(threshold);
  checkSpectrum(singularValues, rows, columns);
  const components = singularValues.length;
  if (cumulative !== undefined && cumulative.length !== components)
    throw new InputError(
      `${cumulative.length} cumulative percents for ${components} singular values; give one for each`,
    );

  const largest = singularValues[0]!;
  if (largest === 0) return withoutVariance(components);

  const total = sumOfSquares(singularValues, largest);
  const tolerance = largest * Math.max(rows, columns) * float32Epsilon;
  const dimension = effectiveDimension(cumulative ?? cumulativePercent(singularValues), threshold);
  const rank = count(singularValues, (value) => value > tolerance);
  let sumOfFourthPowers = 0;
  let entropy = 0;
  for (const value of singularValues) {
    const share = (value / largest) ** 2 / total;
    sumOfFourthPowers += share * share;
    if (share > 0) entropy -= share * Math.log(share);
  }
  return {
    effective_dimension: dimension,
    effective_index: dimension - 1,
    rank,
    rank_tolerance: tolerance,
    near_rank_tolerance: count(singularValues, (value) => value >= tolerance / 2 && value <= tolerance * 2),
    percent_of_rank: rank === 0 ? null : (100 * dimension) / rank,
    components,
    top_percent: 100 / total,
    participation_ratio: 1 / sumOfFourthPowers,
    entropy_rank: Math.exp(entropy),
    stable_rank: total,
    notebook_percent: rank === 0 ? null : (100 * (dimension - 1)) / rank,
  };
}

function checkSpectrum(singularValues: SingularValues, rows: number, columns: number): void {
  const components = Math.min(rows, columns);
  if (singularValues.length !== components || components < 1)
    throw new InputError(
      `${singularValues.length} singular values for a matrix of ${rows} × ${columns}; it has ${components}`,
    );
  singularValues.forEach((value, index) => {
    if (!(Number.isFinite(value) && value >= 0))
      throw new NumericalError(
        `singular value ${index + 1} of ${components} is ${value}; the states hold NaN or infinity`,
      );
    if (index > 0 && value > singularValues[index - 1]!)
      throw new NumericalError(
        `singular value ${index + 1} of ${components} is larger than the one before it; sort them`,
      );
  });
}

/** One token, or tokens whose states are equal: there is nothing to measure. */
function withoutVariance(components: number): LayerDimensions {
  return {
    effective_dimension: 0,
    effective_index: null,
    rank: 0,
    rank_tolerance: 0,
    near_rank_tolerance: 0,
    percent_of_rank: null,
    components,
    top_percent: null,
    participation_ratio: null,
    entropy_rank: null,
    stable_rank: null,
    notebook_percent: null,
  };
}

/** Σ(σ/σ₁)²: squares of the values themselves may be too large or too small for float64. */
function sumOfSquares(values: SingularValues, largest: number): number {
  let sum = 0;
  for (const value of values) sum += (value / largest) ** 2;
  return sum;
}

function count(values: SingularValues, holds: (value: number) => boolean): number {
  let total = 0;
  for (const value of values) if (holds(value)) total += 1;
  return total;
}
