/** How time grows with a size, as a power of it. */

/** What is made larger, and how. */
export interface GrowthAxis {
  /** `tokens`, `width`, `layers`, `batch`, `matrices`, `size`. */
  readonly axis: string;
  /** What runs, and what stays the same: for a table's and a figure's heading. */
  readonly job: string;
  /** The power that theory gives for very large sizes. */
  readonly limit: number;
}

export interface GrowthPoint {
  readonly size: number;
  /** Time by the clock. */
  readonly seconds: number;
  /** CPU time of this process, which includes a software GPU. */
  readonly cpu_seconds: number;
  /** Floating-point operations that the plan counts. */
  readonly operations: number;
}

/** value ≈ factor · size^exponent. */
export interface PowerLaw {
  readonly exponent: number;
  readonly factor: number;
  /** The sizes that it was fitted to. */
  readonly from: number;
  readonly to: number;
  readonly points: number;
  /** Root mean square of the residuals, in natural logarithms: 0.1 is about ten percent. */
  readonly residual: number;
}

export interface Growth extends GrowthAxis {
  readonly points: readonly GrowthPoint[];
  /** Which time was fitted. */
  readonly fitted: 'seconds' | 'cpu_seconds';
  readonly time: PowerLaw;
  /** The same fit of the operations: what theory gives for these sizes. */
  readonly theory: PowerLaw;
}

/** A fit takes the upper half of the sizes, and at least this many of them. */
const MIN_POINTS = 3;

/**
 * Fits a power law by least squares on the logarithms, over the upper half of the sizes: fixed costs have a large share
 * in the lower half.
 * @param sizes positive, ascending, two or more
 * @param values positive, one per size
 */
export function fitPowerLaw(sizes: readonly number[], values: readonly number[]): PowerLaw {
  const points = Math.min(sizes.length, Math.max(MIN_POINTS, Math.ceil(sizes.length / 2)));
  const x = sizes.slice(-points).map(Math.log);
  const y = values.slice(-points).map(Math.log);
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0) / points;
  const [meanX, meanY] = [mean(x), mean(y)];
  const exponent =
    mean(x.map((value, index) => (value - meanX) * (y[index]! - meanY))) /
    mean(x.map((value) => (value - meanX) ** 2));
  const offset = meanY - exponent * meanX;
  return {
    exponent,
    factor: Math.exp(offset),
    from: sizes.at(-points)!,
    to: sizes.at(-1)!,
    points,
    residual: Math.sqrt(mean(x.map((value, index) => (y[index]! - offset - exponent * value) ** 2))),
  };
}

/** Fits time and operations along one axis. */
export function growthOf(axis: GrowthAxis, points: readonly GrowthPoint[], fitted: Growth['fitted']): Growth {
  const sizes = points.map(({ size }) => size);
  return {
    ...axis,
    points,
    fitted,
    time: fitPowerLaw(
      sizes,
      points.map((point) => point[fitted]),
    ),
    theory: fitPowerLaw(
      sizes,
      points.map(({ operations }) => operations),
    ),
  };
}
