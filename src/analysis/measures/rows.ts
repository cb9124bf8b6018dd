import { rowNorms, unitRows } from '../views.ts';

/** How much the rows of a matrix point the same way, and which of them are equal. */

/** Rows below this part of the largest row are rounding: they lie on the mean, and have no direction. */
const NO_DIRECTION = 2 ** -48;

/** Rows over their norms. */
export interface Directions {
  /** How many rows have a direction. */
  readonly rows: number;
  /** Row-major, of all rows; zeros where a row has no direction. */
  readonly values: Float64Array<ArrayBuffer>;
}

/**
 * @param values row-major [rows · columns], the view's or centred
 * @param magnitude the largest norm of a row before centring; a row that is rounding in comparison has no direction
 */
export function directions(values: Float32Array | Float64Array, columns: number, magnitude = 0): Directions {
  const norms = rowNorms(values, columns);
  const unit = unitRows(values, columns);
  let rows = 0;
  norms.forEach((norm, row) => {
    if (norm > magnitude * NO_DIRECTION) rows += 1;
    else unit.fill(0, row * columns, (row + 1) * columns);
  });
  return { rows, values: unit };
}

/**
 * The mean cosine over pairs of different rows, (‖Σ unit rows‖² − n) / (n (n − 1)) (Ethayarajh, arXiv 1909.00512).
 * @returns null for fewer than two rows
 */
export function meanCosine({ rows, values }: Directions, columns: number): number | null {
  if (rows < 2) return null;
  const sum = new Float64Array(columns);
  for (let index = 0; index < values.length;) {
    for (let column = 0; column < columns; column++, index++) sum[column]! += values[index]!;
  }
  let square = 0;
  for (const value of sum) square += value * value;
  return (square - rows) / (rows * (rows - 1));
}

/**
 * The first of every set of equal rows, in order. Rows are equal where all their numbers are; −0 equals 0.
 * @param values row-major [rows · columns]
 */
export function distinctRows(values: Float32Array | Float64Array, columns: number): number[] {
  const rows = values.length / columns;
  const byHash = new Map<number, number[]>();
  const kept: number[] = [];
  const word = new Float64Array(1);
  const bits = new Int32Array(word.buffer);
  const isEqual = (a: number, b: number) => {
    for (let column = 0; column < columns; column++) {
      if (values[a * columns + column] !== values[b * columns + column]) return false;
    }
    return true;
  };
  for (let row = 0; row < rows; row++) {
    let hash = 0;
    for (let index = row * columns; index < (row + 1) * columns; index++) {
      word[0] = values[index]! + 0; // −0 becomes 0
      hash = Math.imul(hash ^ bits[0]! ^ Math.imul(bits[1]!, 0x9e3779b1), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    const alike = byHash.get(hash);
    if (!alike) byHash.set(hash, [row]);
    else if (alike.some((other) => isEqual(other, row))) continue;
    else alike.push(row);
    kept.push(row);
  }
  return kept;
}
