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
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const value = values[index]!;
      centred[index] = value;
      if (value !== values[column]) varies[column] = 1;
    }
  }
  for (let pass = 0; pass < 2; pass++) {
    const means = new Float64Array(columns);
    for (let index = 0, row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, index++) means[column]! += centred[index]!;
    }
    for (let column = 0; column < columns; column++) means[column]! /= rows;
    for (let index = 0, row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, index++) {
        centred[index] = varies[column] ? centred[index]! - means[column]! : 0;
      }
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
