import { tridiagonalEigen } from './tridiagonal.ts';

/** The first right singular vectors of a centred matrix, in float64. */
export interface LeadingVectors {
  /** Squares of the singular values, descending; one more than vectors where the matrix has it. */
  readonly squares: Float64Array;
  /** [count] of [columns], of norm 1. */
  readonly right: readonly Float64Array[];
}

/** How many steps pass between two checks of convergence, after so many steps: a check takes longer then. */
const LOOK = 8;
/** The error allowed in the vectors' space, as an angle. */
const ANGLE = 1e-8;
/** A gap below this part of λ₁ is rounding. */
const MIN_GAP = 1e-7;
/** Below this part of λ₁, what is left of a vector after orthogonalisation counts as nothing. */
const EXHAUSTED = 1e-13;

/**
 * Lanczos' iteration on CᵀC, every vector orthogonalised twice against all before it (Golub and Van Loan, Matrix
 * Computations, 10.1), until the first `count` vectors' space is known to 1e-8 of an angle. A wide gap after them needs
 * few steps; the maximum is the number of columns.
 *
 * @param centred row-major [rows · columns]
 * @yields between two steps, each of which takes 4 · rows · columns operations and more
 * @returns fewer vectors where the rank is lower
 */
export function* leadingVectorSteps(
  centred: Float64Array,
  rows: number,
  columns: number,
  count: number,
): Generator<void, LeadingVectors> {
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const beside: number[] = [];
  const maxVectors = Math.min(rows, columns);
  let largest = 0;
  let next: Float64Array | undefined = normalised(
    transposedTimes(centred, rows, columns, times(centred, rows, columns, startingVector(columns))),
  );
  while (next && basis.length < maxVectors) {
    const current: Float64Array = next;
    basis.push(current);
    yield;
    const image = transposedTimes(centred, rows, columns, times(centred, rows, columns, current));
    diagonal.push(dot(current, image));
    for (let pass = 0; pass < 2; pass++) {
      for (const vector of basis) addTimes(image, -dot(vector, image), vector);
    }
    const left = Math.sqrt(dot(image, image));
    largest = Math.max(largest, diagonal.at(-1)!);
    if (!(left > EXHAUSTED * largest)) break;
    if (basis.length >= count && basis.length % LOOK === 0 && hasConverged(diagonal, beside, left, count))
      break;
    beside.push(left);
    next = image.map((value) => value / left);
  }
  return ritzVectors(basis, diagonal, beside, count);
}

/** Whether the residuals of the first `count` are small compared with the gap after them. */
function hasConverged(
  diagonal: readonly number[],
  beside: readonly number[],
  left: number,
  count: number,
): boolean {
  const size = diagonal.length;
  if (size <= count) return false;
  const { values, rows } = tridiagonalEigen(diagonal, beside, [size - 1]);
  const gap = Math.max(values[count - 1]! - values[count]!, MIN_GAP * values[0]!);
  return rows[0]!.subarray(0, count).every((last) => left * Math.abs(last) <= ANGLE * gap);
}

function ritzVectors(
  basis: readonly Float64Array[],
  diagonal: readonly number[],
  beside: readonly number[],
  count: number,
): LeadingVectors {
  const { values, rows } = tridiagonalEigen(diagonal, beside, Array.from(basis.keys()));
  const right: Float64Array[] = [];
  for (let k = 0; k < Math.min(count, basis.length) && values[k]! > EXHAUSTED * values[0]!; k++) {
    const vector = new Float64Array(basis[0]!.length);
    basis.forEach((element, index) => {
      addTimes(vector, rows[index]![k]!, element);
    });
    right.push(normalised(vector));
  }
  return { squares: values.slice(0, count + 1), right };
}

/** The same on every run, and not along an axis: a row of the matrix may be orthogonal to v₁. */
function startingVector(length: number): Float64Array {
  let state = 1;
  return Float64Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** C x. */
export function times(
  centred: Float64Array,
  rows: number,
  columns: number,
  vector: Float64Array,
): Float64Array {
  const product = new Float64Array(rows);
  for (let index = 0, row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0; column < columns; column++, index++) sum += centred[index]! * vector[column]!;
    product[row] = sum;
  }
  return product;
}

/** Cᵀ y. */
function transposedTimes(
  centred: Float64Array,
  rows: number,
  columns: number,
  vector: Float64Array,
): Float64Array {
  const product = new Float64Array(columns);
  for (let index = 0, row = 0; row < rows; row++) {
    const factor = vector[row]!;
    for (let column = 0; column < columns; column++, index++) product[column]! += factor * centred[index]!;
  }
  return product;
}

/** target += factor · vector. */
function addTimes(target: Float64Array, factor: number, vector: Float64Array): void {
  for (let index = 0; index < target.length; index++) target[index]! += factor * vector[index]!;
}

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}

function normalised(vector: Float64Array): Float64Array {
  const norm = Math.sqrt(dot(vector, vector));
  return norm > 0 ? vector.map((value) => value / norm) : vector;
}
