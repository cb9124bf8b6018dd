import { timesPowerOfTwo } from '../measure-matrices.ts';
import { gride, maximumLikelihood, MIN_POINTS, neighboursNeeded, twoNearest } from './intrinsic-dimension.ts';
import type { GridePoint, MaximumLikelihood, TwoNearest } from './intrinsic-dimension.ts';
import { nearestDistances } from './nearest.ts';
import { distinctRows } from './rows.ts';
import type { ViewState } from './view-state.ts';

/** The intrinsic dimension of a view's rows as points; null if there are fewer than three. */
export interface Neighbours {
  /** Rows that equal an earlier one, and are left out. */
  duplicate_rows: number;
  points: number;
  twonn: TwoNearest | null;
  gride: GridePoint[] | null;
  mle: MaximumLikelihood | null;
}

/** A view, by the name that messages give it, that has too few different rows for intrinsic dimensions. */
export interface FewRows {
  readonly name: string;
  readonly points: number;
}

/** One sentence about all of them; undefined if there are none. */
export function fewRowsNotice(few: readonly FewRows[]): string | undefined {
  const [first, ...others] = few;
  if (!first) return undefined;
  const { name, points } = first;
  const which =
    others.length === 0
      ? `${name}: has ${points} different ${points === 1 ? 'row' : 'rows'}`
      : `${name} and ${others.length} ${others.length === 1 ? 'other' : 'others'}: have fewer than ${MIN_POINTS} different rows`;
  return `${which}; twonn, gride and mle need at least ${MIN_POINTS}`;
}

/**
 * Intrinsic dimensions from the distances between a view's rows, without those that repeat others.
 * @throws DeviceError if the points do not fit a binding
 */
export async function measureNeighbours(state: ViewState): Promise<Neighbours> {
  const { gpu, view, options } = state;
  const { rows, columns } = view;
  const given = view.rowsAsGiven();
  const kept = distinctRows(given, given.length / rows);
  const points = kept.length;
  const { values, exponent } = state.numbers;
  const ranks = neighboursNeeded(points);
  const own = view.values();
  const isRounded = own instanceof Float64Array && ranks > 0;
  const nearest = await nearestDistances(
    gpu,
    chooseRows(values, columns, kept, (length) => new Float32Array(length)),
    {
      name: options.name,
      rows: points,
      columns,
      ranks,
      ...(isRounded && {
        exact: chooseRows(own, columns, kept, (length) => new Float64Array(length)).map((value) =>
          timesPowerOfTwo(value, -exponent),
        ),
      }),
    },
    options.signal,
  );
  const curve = gride(nearest);
  return {
    duplicate_rows: rows - points,
    points,
    twonn: twoNearest(nearest),
    gride: curve && curve.map((point) => ({ ...point, scale: timesPowerOfTwo(point.scale, exponent) })),
    mle: maximumLikelihood(nearest),
  };
}

function chooseRows<Values extends Float32Array | Float64Array>(
  values: Float32Array | Float64Array,
  columns: number,
  rows: readonly number[],
  allocate: (length: number) => Values,
): Values {
  const chosen = allocate(rows.length * columns);
  rows.forEach((row, place) => {
    chosen.set(values.subarray(row * columns, (row + 1) * columns), place * columns);
  });
  return chosen;
}
