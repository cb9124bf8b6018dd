import type { SingularValues } from '../dimensions.ts';
import { sumOfSquares } from './centred.ts';
import { dot, leadingVectorSteps, times } from './leading-vectors.ts';

/** The first component of a centred matrix, and who carries it. */
export interface Component {
  /** λ₁ / Σλ. */
  share: number;
  /** (σ₁ − σ₂) / σ₁: the error of the vectors below is rounding divided by this. */
  gap: number;
  /** The largest u₁², at most three. */
  tokens: { token: number; share: number }[];
  /** The one after these; null if there is none. */
  next_token_share: number | null;
  /** The largest v₁², at most three. */
  dimensions: { dimension: number; share: number }[];
  next_dimension_share: number | null;
}

const SHOWN = 3;
/** Shares that differ by less than this are sorted by their numbers. */
const EQUAL_SHARES = 1e-12;

/**
 * The first component of a centred matrix, its vectors in float64.
 *
 * @param centred row-major [rows · columns]
 * @param singularValues descending, in any unit
 * @param numbers of the first row and of the columns in the whole matrix
 * @yields now and then: it keeps the host busy
 * @returns null without variance
 */
export function* firstComponentSteps(
  centred: Float64Array,
  rows: number,
  columns: number,
  singularValues: SingularValues,
  numbers: { readonly firstToken: number; readonly dimensions: readonly number[] },
): Generator<void, Component | null> {
  const [first = 0, second = 0] = singularValues;
  if (first === 0) return null;
  let total = 0;
  for (const value of singularValues) total += (value / first) ** 2;
  const right = (yield* leadingVectorSteps(centred, rows, columns, 1)).right[0];
  if (!right) return null;
  const left = times(centred, rows, columns, right);
  const tokens = largest(shares(left), SHOWN + 1);
  const dimensions = largest(shares(right), SHOWN + 1);
  return {
    share: 1 / total,
    gap: (first - second) / first,
    tokens: tokens.slice(0, SHOWN).map(({ index, share }) => ({ token: numbers.firstToken + index, share })),
    next_token_share: tokens[SHOWN]?.share ?? null,
    dimensions: dimensions
      .slice(0, SHOWN)
      .map(({ index, share }) => ({ dimension: numbers.dimensions[index]!, share })),
    next_dimension_share: dimensions[SHOWN]?.share ?? null,
  };
}

/** ‖c₀‖² / Σ‖c_i‖², the first row's share of the variance; null without variance. */
export function firstRowShare(centred: Float64Array, columns: number): number | null {
  const total = sumOfSquares(centred);
  const first = sumOfSquares(centred.subarray(0, columns));
  return total > 0 ? first / total : null;
}

function shares(vector: Float64Array): Float64Array {
  const total = dot(vector, vector);
  return vector.map((value) => (value * value) / total);
}

function largest(values: Float64Array, maxCount: number): { index: number; share: number }[] {
  const sorted = Array.from(values, (share, index) => ({ index, share })).sort((a, b) => b.share - a.share);
  // Groups of equal shares, each sorted by number; there may be more than were asked for, because the last group is
  // whole.
  const runs: { index: number; share: number }[][] = [];
  for (const entry of sorted) {
    const run = runs.at(-1);
    if (run && run[0]!.share - entry.share <= EQUAL_SHARES) run.push(entry);
    else if (runs.flat().length >= maxCount) break;
    else runs.push([entry]);
  }
  return runs.flatMap((run) => run.sort((a, b) => a.index - b.index)).slice(0, maxCount);
}
