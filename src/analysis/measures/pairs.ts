import { atOnce, inSlices } from '../../engine/abort.ts';
import { InputError } from '../../engine/errors.ts';
import { prepareMatrix } from '../prepare-matrix.ts';
import type { Numbers } from '../views.ts';
import { centredColumns, sumOfSquares } from './centred.ts';
import { dot, leadingVectorSteps } from './leading-vectors.ts';
import type { LeadingVectors } from './leading-vectors.ts';

/** A matrix to compare with another, row-major [rows, columns]. */
export interface ComparedMatrix {
  /** What error messages call it. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Float64 ones may be overwritten. */
  readonly values: Numbers;
}

/** How alike the geometry of two matrices' rows is: 1 for the same up to rotation and scale. */
export interface Alignment {
  /** Without the bias of few rows in many dimensions; may be below 0. */
  debiased: number;
  biased: number;
}

/** How alike the leading directions of two matrices are. */
export interface PrincipalAngles {
  /** Directions of each: min(10, ranks). */
  k: number;
  /** Descending, [k]. */
  cosines: number[];
  /** Σcos² / k. */
  overlap: number;
  /** (σ_k − σ_{k+1}) / σ₁ of each: the error of the directions is rounding divided by this. */
  gaps: [number, number];
}

export interface PairOptions {
  /** Heard within a fraction of a second. */
  readonly signal?: AbortSignal | undefined;
}

const DIRECTIONS = 10;
const MIN_ROWS = 3;

/**
 * Linear centred kernel alignment of two matrices of the same rows, biased (Kornblith et al., arXiv 1905.00414) and
 * debiased (Song et al., JMLR 13, 2012).
 * @returns null for fewer than three rows, or where one has no variance
 * @throws InputError if the rows differ
 * @throws NumericalError naming a matrix that holds NaN or infinity
 */
export function kernelAlignment(a: ComparedMatrix, b: ComparedMatrix): Alignment | null {
  return atOnce(new ComparedState(a).alignmentSteps(new ComparedState(b)));
}

/**
 * The same in slices of time: matrices of 1024 x 1600 take some seconds.
 * @throws as `kernelAlignment`, and the signal's reason if it aborts
 */
export async function kernelAlignmentLong(
  a: ComparedMatrix,
  b: ComparedMatrix,
  { signal }: PairOptions = {},
): Promise<Alignment | null> {
  return inSlices(new ComparedState(a).alignmentSteps(new ComparedState(b)), signal);
}

/**
 * The principal angles between the spaces of two centred matrices' first right singular vectors (Björck and Golub,
 * Mathematics of Computation 27, 1973).
 * @returns null if one has no variance
 * @throws InputError if the columns differ
 * @throws NumericalError naming a matrix that holds NaN or infinity
 */
export function principalAngles(a: ComparedMatrix, b: ComparedMatrix): PrincipalAngles | null {
  return atOnce(new ComparedState(a).anglesSteps(new ComparedState(b)));
}

/**
 * The same in slices of time.
 * @throws as `principalAngles`, and the signal's reason if it aborts
 */
export async function principalAnglesLong(
  a: ComparedMatrix,
  b: ComparedMatrix,
  { signal }: PairOptions = {},
): Promise<PrincipalAngles | null> {
  return inSlices(new ComparedState(a).anglesSteps(new ComparedState(b)), signal);
}

/** A matrix to compare with several others. What does not depend on them is computed once. */
export class ComparedState {
  readonly #name: string;
  readonly #rows: number;
  readonly #columns: number;
  readonly #unit: UnitMatrix | null;
  #self: number | undefined;
  #space: LeadingVectors | undefined;

  /** @throws NumericalError naming a matrix that holds NaN or infinity */
  constructor(matrix: ComparedMatrix) {
    this.#name = matrix.name;
    this.#rows = matrix.rows;
    this.#columns = matrix.columns;
    this.#unit = unitNorm(matrix);
  }

  /** As `kernelAlignment`, with pauses. */
  *alignmentSteps(other: ComparedState): Generator<void, Alignment | null> {
    if (this.#rows !== other.#rows) {
      throw new InputError(
        `${this.#name} has ${this.#rows} rows and ${other.#name} ${other.#rows}; give states of the same tokens`,
        { code: 'matrix-shape', subject: { kind: 'matrix', name: other.#name } },
      );
    }
    const [left, right] = [this.#unit, other.#unit];
    if (this.#rows < MIN_ROWS || !left || !right) return null;
    const products = {
      aa: yield* this.#selfNorm(left),
      bb: yield* other.#selfNorm(right),
      ab: yield* crossNorm(left, right),
    };
    const biased = products.ab / (Math.sqrt(products.aa) * Math.sqrt(products.bb));
    const aa = debias(products.aa, left, left);
    const bb = debias(products.bb, right, right);
    const ab = debias(products.ab, left, right);
    const debiased = ab / (Math.sqrt(aa) * Math.sqrt(bb));
    return Number.isFinite(debiased) ? { debiased, biased } : null;
  }

  /** As `principalAngles`, with pauses. */
  *anglesSteps(other: ComparedState): Generator<void, PrincipalAngles | null> {
    if (this.#columns !== other.#columns) {
      throw new InputError(
        `${this.#name} has ${this.#columns} columns and ${other.#name} ${other.#columns}; give states of the same width`,
        { code: 'matrix-shape', subject: { kind: 'matrix', name: other.#name } },
      );
    }
    if (!this.#unit || !other.#unit) return null;
    const left = yield* this.#leading(this.#unit);
    const right = yield* other.#leading(other.#unit);
    const k = Math.min(rankWithin(left.squares, this.#unit), rankWithin(right.squares, other.#unit));
    const products = left.right
      .slice(0, k)
      .map((u) => Float64Array.from(right.right.slice(0, k), (v) => dot(u, v)));
    const cosines = smallSingularValues(products).map((cosine) => Math.min(1, cosine));
    return {
      k,
      cosines,
      overlap: cosines.reduce((sum, cosine) => sum + cosine * cosine, 0) / k,
      gaps: [gapAfter(left.squares, k), gapAfter(right.squares, k)],
    };
  }

  *#selfNorm(unit: UnitMatrix): Generator<void, number> {
    return (this.#self ??= yield* crossNorm(unit, unit));
  }

  *#leading({ values, rows, columns }: UnitMatrix): Generator<void, LeadingVectors> {
    return (this.#space ??= yield* leadingVectorSteps(values, rows, columns, DIRECTIONS));
  }
}

/** A centred matrix of Frobenius norm 1, so that no product overflows. */
interface UnitMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

function unitNorm({ name, rows, columns, values }: ComparedMatrix): UnitMatrix | null {
  const centred = centredColumns(prepareMatrix(values, rows, columns, name).values, rows, columns);
  const norm = Math.sqrt(sumOfSquares(centred));
  if (norm === 0) return null;
  return { rows, columns, values: centred.map((value) => value / norm) };
}

/** ‖AᵀB‖², the sum of the products of AAᵀ's and BBᵀ's elements: by the way that takes fewer operations. */
function crossNorm(a: UnitMatrix, b: UnitMatrix): Generator<void, number> {
  const byRows = (a.rows * (a.columns + b.columns)) / 2;
  return byRows < a.columns * b.columns ? crossNormByRows(a, b) : crossNormByColumns(a, b);
}

function* crossNormByRows(a: UnitMatrix, b: UnitMatrix): Generator<void, number> {
  const row = ({ values, columns }: UnitMatrix, index: number) =>
    values.subarray(index * columns, (index + 1) * columns);
  let sum = 0;
  for (let i = 0; i < a.rows; i++) {
    yield;
    const [ownA, ownB] = [row(a, i), row(b, i)];
    for (let j = 0; j <= i; j++) {
      const product = dot(ownA, row(a, j)) * dot(ownB, row(b, j));
      sum += i === j ? product : 2 * product;
    }
  }
  return sum;
}

function* crossNormByColumns(a: UnitMatrix, b: UnitMatrix): Generator<void, number> {
  const product = new Float64Array(a.columns * b.columns);
  for (let row = 0; row < a.rows; row++) {
    yield;
    for (let i = 0, place = 0; i < a.columns; i++) {
      const factor = a.values[row * a.columns + i]!;
      for (let j = 0; j < b.columns; j++, place++) product[place]! += factor * b.values[row * b.columns + j]!;
    }
  }
  return sumOfSquares(product);
}

/** Takes the rows' products with themselves out of ‖AᵀB‖². */
function debias(crossed: number, a: UnitMatrix, b: UnitMatrix): number {
  const n = a.rows;
  let products = 0;
  for (let row = 0; row < n; row++) {
    const own = ({ values, columns }: UnitMatrix) =>
      sumOfSquares(values.subarray(row * columns, (row + 1) * columns));
    products += own(a) * own(b);
  }
  // The norms are 1, and so are the sums of the rows' squares.
  return crossed - (n / (n - 2)) * products + 1 / ((n - 1) * (n - 2));
}

/** How many of the first directions lie above the rank tolerance. */
function rankWithin(squares: Float64Array, { rows, columns }: UnitMatrix): number {
  const tolerance = squares[0]! * (Math.max(rows, columns) * 2 ** -23) ** 2;
  return squares.subarray(0, DIRECTIONS).filter((square) => square > tolerance).length;
}

function gapAfter(squares: Float64Array, k: number): number {
  const value = (index: number) => Math.sqrt(Math.max(0, squares[index] ?? 0));
  return (value(k - 1) - value(k)) / value(0);
}

/** The singular values of a matrix of few columns, descending, by one-sided Jacobi; the columns are overwritten. */
function smallSingularValues(columns: readonly Float64Array[]): number[] {
  for (let sweep = 0, hasTurned = true; hasTurned && sweep < 60; sweep++) {
    hasTurned = false;
    for (const [q, right] of columns.entries()) {
      for (const left of columns.slice(0, q)) {
        const [a, b, g] = [dot(left, left), dot(right, right), dot(left, right)];
        if (Math.abs(g) <= 1e-15 * Math.sqrt(a * b)) continue;
        hasTurned = true;
        const zeta = (b - a) / (2 * g);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        for (let k = 0; k < left.length; k++) {
          const x = left[k]!;
          left[k] = cosine * (x - tangent * right[k]!);
          right[k] = cosine * (tangent * x + right[k]!);
        }
      }
    }
  }
  return columns.map((column) => Math.sqrt(dot(column, column))).sort((x, y) => y - x);
}
