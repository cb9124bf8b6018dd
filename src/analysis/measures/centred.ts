/**
 * Subtracts each column's mean, in float64. The mean of what is left is subtracted once more: a mean that is rounded
 * would add a direction that is not there. Columns of equal values become exactly 0.
 * @param values row-major [rows · columns]
 */
export function centredColumns(
  values: Float32Array | Float64Array,
  rows: number,
  columns: number,
): Float64Array<ArrayBuffer> {
  const centred = new Float64Array(values.length);
  const varies = new Uint8Array(columns);
  const means = new Float64Array(columns);
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const value = values[index]!;
      centred[index] = value;
      means[column]! += value;
      if (value !== values[column]) varies[column] = 1;
    }
  }
  const rest = new Float64Array(columns);
  for (let column = 0; column < columns; column++) means[column]! /= rows;
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const value = centred[index]! - means[column]!;
      centred[index] = value;
      rest[column]! += value;
    }
  }
  for (let column = 0; column < columns; column++) rest[column]! /= rows;
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      centred[index] = varies[column] ? centred[index]! - rest[column]! : 0;
    }
  }
  return centred;
}

/** Σx². */
export function sumOfSquares(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return sum;
}
