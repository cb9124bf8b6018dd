import { NumericalError } from '../engine/errors.ts';

/** A matrix as the GPU takes it. */
export interface PreparedMatrix {
  /** Row-major [rows · columns]: the matrix divided by 2^exponent, except for a constant in every column. */
  readonly values: Float32Array<ArrayBuffer>;
  /** A singular value of the matrix is one of `values` times 2^exponent. */
  readonly exponent: number;
}

/** Between these magnitudes float32 holds a matrix, its singular values and those 10⁻⁷ times as large. */
const MIN_MAGNITUDE = 2 ** -60;
const MAX_MAGNITUDE = 2 ** 60;
/** Columns whose values are all below this are scaled as if they reached it, so that the factor is finite. */
const MIN_EXPONENT = -1000;

/**
 * Turns a matrix whose columns will be centred into float32. Values that float32 holds stay as they are, or are divided
 * by a power of two if they are very large or small: the GPU centres them exactly. Others are centred and scaled in
 * float64 first, because their offset, smallness or size would be lost; each column's mean is summed twice (Golub and
 * Van Loan, Matrix Computations, 2.7).
 *
 * @param values row-major [rows · columns]; float32 ones may be returned as they are, float64 ones may be overwritten
 * @param name of the matrix, for messages
 * @throws NumericalError naming the first NaN or infinity, and its row and column, counted from 0
 */
export function prepareMatrix(
  values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>,
  rows: number,
  columns: number,
  name: string,
): PreparedMatrix {
  const { magnitudes, isSingle } = inspect(values, rows, columns, name);
  return values instanceof Float32Array || isSingle
    ? scaleExactly(values, columns, magnitudes)
    : centreAndScale(values, rows, columns, magnitudes);
}

/** Each column's largest magnitude, 0 where the column is constant; and whether float32 holds every value. */
function inspect(
  values: Float32Array | Float64Array,
  rows: number,
  columns: number,
  name: string,
): { magnitudes: Float64Array; isSingle: boolean } {
  const magnitudes = new Float64Array(columns);
  const varies = new Uint8Array(columns);
  let isSingle = true;
  let index = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const value = values[index]!;
      const magnitude = Math.abs(value);
      if (!(magnitude < Infinity)) {
        throw new NumericalError(
          `${name}: holds ${value} at row ${row}, column ${column} (counted from 0); remove or replace such values`,
          { code: 'matrix-not-finite', subject: { kind: 'matrix', name } },
        );
      }
      if (value !== values[column]) varies[column] = 1;
      if (magnitude > magnitudes[column]!) magnitudes[column] = magnitude;
      if (Math.fround(value) !== value) isSingle = false;
    }
  }
  return { magnitudes: magnitudes.map((magnitude, column) => (varies[column] ? magnitude : 0)), isSingle };
}

function scaleExactly(
  values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>,
  columns: number,
  magnitudes: Float64Array,
): PreparedMatrix {
  const largest = magnitudes.reduce((max, magnitude) => Math.max(max, magnitude), 0);
  if (largest === 0 || (largest >= MIN_MAGNITUDE && largest <= MAX_MAGNITUDE)) {
    return { values: values instanceof Float32Array ? values : new Float32Array(values), exponent: 0 };
  }
  const exponent = exponentOf(largest);
  const scale = 2 ** -exponent;
  const scaled = new Float32Array(values.length);
  for (let first = 0; first < values.length; first += columns) {
    for (let column = 0; column < columns; column++) {
      // A constant column may be too large to scale; centred it is zero in any case.
      if (magnitudes[column]! > 0) scaled[first + column] = values[first + column]! * scale;
    }
  }
  return { values: scaled, exponent };
}

/** Overwrites the values. */
function centreAndScale(
  values: Float64Array,
  rows: number,
  columns: number,
  magnitudes: Float64Array,
): PreparedMatrix {
  const exponents = Float64Array.from(magnitudes, (magnitude) =>
    Math.max(exponentOf(magnitude), MIN_EXPONENT),
  );
  const scales = exponents.map((exponent, column) => (magnitudes[column]! > 0 ? 2 ** -exponent : 0));
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) values[index]! *= scales[column]!;
  }
  subtractMeans(values, rows, columns);
  subtractMeans(values, rows, columns);

  const centred = new Float64Array(columns);
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const magnitude = Math.abs(values[index]!);
      if (magnitude > centred[column]!) centred[column] = magnitude;
    }
  }
  let exponent = -Infinity;
  centred.forEach((magnitude, column) => {
    if (magnitude > 0) exponent = Math.max(exponent, exponents[column]! + exponentOf(magnitude));
  });
  if (exponent === -Infinity) return { values: new Float32Array(values.length), exponent: 0 };

  const factors = exponents.map((own) => 2 ** (own - exponent));
  const result = new Float32Array(values.length);
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++)
      result[index] = values[index]! * factors[column]!;
  }
  return { values: result, exponent };
}

function subtractMeans(values: Float64Array, rows: number, columns: number): void {
  const means = new Float64Array(columns);
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) means[column]! += values[index]!;
  }
  for (let column = 0; column < columns; column++) means[column]! /= rows;
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) values[index]! -= means[column]!;
  }
}

/** The largest e with 2^e ≤ magnitude, or one more or less, because log2 rounds; −Infinity for 0. */
function exponentOf(magnitude: number): number {
  return Math.floor(Math.log2(magnitude));
}
