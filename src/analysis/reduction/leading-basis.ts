import type { Directions } from '../spectrum/directions.ts';

/** Singular values whose relative difference is smaller than this count as equal: either may come first. */
const MIN_GAP = 1e-5;

/**
 * An orthonormal basis of what the first `count` singular vectors span, over the vectors a_i of a matrix, in float64.
 *
 * The directions come from a Jacobi iteration in float32 and are orthogonal to about 1e-6. With W their unit vectors and P
 * = A W the images, PᵀP and WᵀW are nearly diagonal, and the first-order solution of PᵀP x = λ WᵀW x for what lies across
 * the cut,
 *
 *   w_i ← w_i + Σ_{j > count} w_j (p_j·p_i − λ_i w_j·w_i) / (λ_i − λ_j),   λ_i = |p_i|²,
 *
 * leaves an error of second order (Golub and Van Loan, Matrix Computations, 8.1); then modified Gram–Schmidt, twice.
 *
 * @param count from 1 to the matrix's rank
 * @yields now and then: it keeps the host busy
 * @returns [count · n]
 */
export function* leadingBasisSteps(
  directions: Directions,
  count: number,
): Generator<void, Float64Array<ArrayBuffer>> {
  const { vectors, length } = directions;
  const units = unitRows(directions.weights, vectors);
  const image = (j: number) => directions.images.subarray(j * length, (j + 1) * length);
  const unit = (j: number) => units.subarray(j * vectors, (j + 1) * vectors);
  const squares = Float64Array.from({ length: vectors }, (_, j) => dot(image(j), image(j)));
  const basis = units.slice(0, count * vectors);
  for (let i = 0; i < count; i++) {
    yield;
    const vector = basis.subarray(i * vectors, (i + 1) * vectors);
    for (let j = count; j < vectors && squares[j]! > 0; j++) {
      const gap = squares[i]! - squares[j]!;
      if (!(gap > 2 * MIN_GAP * squares[i]!)) continue;
      const across = dot(image(j), image(i)) - squares[i]! * dot(unit(j), unit(i));
      addTimes(vector, across / gap, unit(j));
    }
  }
  yield* orthonormalise(basis, count, vectors);
  return basis;
}

function unitRows(rows: Float32Array, length: number): Float64Array<ArrayBuffer> {
  const units = Float64Array.from(rows);
  for (let first = 0; first < units.length; first += length) {
    const row = units.subarray(first, first + length);
    const norm = Math.sqrt(dot(row, row));
    if (norm > 0) for (let k = 0; k < length; k++) row[k]! /= norm;
  }
  return units;
}

function* orthonormalise(basis: Float64Array, count: number, length: number): Generator<void, void> {
  const row = (k: number) => basis.subarray(k * length, (k + 1) * length);
  for (let k = 0; k < count; k++) {
    yield;
    const vector = row(k);
    for (let pass = 0; pass < 2; pass++) {
      for (let before = 0; before < k; before++) addTimes(vector, -dot(row(before), vector), row(before));
    }
    const norm = Math.sqrt(dot(vector, vector));
    if (norm > 0) for (let index = 0; index < length; index++) vector[index]! /= norm;
  }
}

function dot(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}

/** target += factor · vector. */
function addTimes(target: Float64Array, factor: number, vector: Float64Array): void {
  for (let index = 0; index < target.length; index++) target[index]! += factor * vector[index]!;
}
