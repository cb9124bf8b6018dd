import { option, wording } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';
import { nearNames } from '../engine/near-names.ts';

/** Numbers of a matrix, row-major: float32 where that holds them, else float64. */
export type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** Ways to look at a matrix of states before it is centred, in the order in which answers list them. */
export const viewNames = [
  'all',
  'without_first_token',
  'without_outlier_dimensions',
  'without_dimensions',
  'unit_rows',
] as const;
export type ViewName = (typeof viewNames)[number];

/** What --views calls them; `without_dimensions` has a flag of its own, which lists the dimensions. */
export const viewFlags = {
  all: 'all',
  'without-first': 'without_first_token',
  'without-outliers': 'without_outlier_dimensions',
  'unit-rows': 'unit_rows',
} as const satisfies Readonly<Record<string, ViewName>>;

/**
 * The name under which singular values are kept: `real` for the states as they are, `real.unit_rows` for another view
 * of them. Rows have one length; zeros follow where a view of a layer has fewer components.
 */
export function spectrumName(sequence: string, view: ViewName): string {
  return view === 'all' ? sequence : `${sequence}.${view}`;
}

/** A matrix as one view shows it. Rows and columns keep the numbers that they have in the whole matrix. */
export interface View {
  readonly name: ViewName;
  readonly rows: number;
  readonly columns: number;
  /** The number in the whole matrix of the first row. */
  readonly firstToken: number;
  /** The numbers in the whole matrix of the columns. */
  readonly dimensions: readonly number[];
  /** Row-major [rows · columns], the caller may overwrite them if they are float64. */
  values(): Numbers;
  /** The numbers by which rows are equal, row-major [rows, …]; not to be written. */
  rowsAsGiven(): Numbers;
}

/** A matrix and what to leave out of it. */
export interface ViewedMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Row-major [rows · columns]; never written. */
  readonly values: Numbers;
  /** Columns that hold massive activations; default none. */
  readonly outlierDimensions?: readonly number[];
  /** The columns that `without_dimensions` leaves out; default none. */
  readonly listedDimensions?: readonly number[];
}

/** What a view shows of a matrix. Its values are made when they are asked for, so that views take no memory. */
export function viewOf(matrix: ViewedMatrix, name: ViewName): View {
  const { rows, columns, values } = matrix;
  const whole = { name, rows, columns, firstToken: 0, dimensions: indices(columns) };
  switch (name) {
    case 'all':
      return { ...whole, values: () => copyIfWide(values), rowsAsGiven: () => values };
    case 'without_first_token': {
      const rest = values.subarray(columns) as Numbers;
      return {
        ...whole,
        rows: rows - 1,
        firstToken: 1,
        values: () => rest.slice(),
        rowsAsGiven: () => rest,
      };
    }
    case 'without_outlier_dimensions':
      return withoutColumns(matrix, name, matrix.outlierDimensions ?? []);
    case 'without_dimensions':
      return withoutColumns(matrix, name, matrix.listedDimensions ?? []);
    case 'unit_rows':
      return { ...whole, values: () => unitRows(values, columns), rowsAsGiven: () => values };
  }
}

function withoutColumns(
  { rows, columns, values }: ViewedMatrix,
  name: ViewName,
  left: readonly number[],
): View {
  const dimensions = indices(columns).filter((column) => !left.includes(column));
  const kept = () => {
    const result = values.slice(0, rows * dimensions.length);
    let place = 0;
    for (let row = 0; row < rows; row++) {
      for (const column of dimensions) result[place++] = values[row * columns + column]!;
    }
    return result;
  };
  return {
    name,
    rows,
    columns: dimensions.length,
    firstToken: 0,
    dimensions,
    values: kept,
    rowsAsGiven: kept,
  };
}

/** Each row divided by its Euclidean norm, in float64; a row of zeros stays. */
export function unitRows(values: Float32Array | Float64Array, columns: number): Float64Array<ArrayBuffer> {
  const norms = rowNorms(values, columns);
  const unit = new Float64Array(values.length);
  for (let index = 0, row = 0; row < norms.length; row++) {
    const norm = norms[row]! || 1;
    for (let column = 0; column < columns; column++, index++) unit[index] = values[index]! / norm;
  }
  return unit;
}

/** The Euclidean norm of each row, [rows]. */
export function rowNorms(values: Float32Array | Float64Array, columns: number): Float64Array<ArrayBuffer> {
  const norms = new Float64Array(columns === 0 ? 0 : values.length / columns);
  for (let row = 0; row < norms.length; row++) {
    const end = (row + 1) * columns;
    let sum = 0;
    for (let index = end - columns; index < end; index++) sum += values[index]! ** 2;
    norms[row] =
      sum > 1e-280 && sum < 1e280 ? Math.sqrt(sum) : scaledNorm(values.subarray(end - columns, end));
  }
  return norms;
}

/** The norm where squares overflow or vanish. */
function scaledNorm(values: Float32Array | Float64Array): number {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 0;
  let sum = 0;
  for (const value of values) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/**
 * Reads what --views lists.
 * @throws InputError naming what is not known, and what may have been meant
 */
export function readViews(text: string): ViewName[] {
  const flags: Readonly<Record<string, ViewName>> = viewFlags;
  const wanted = text.split(',').map((word) => {
    const flag = word.trim();
    if (Object.hasOwn(flags, flag)) return flags[flag]!;
    throw new InputError(
      wording`${option('views')} ${JSON.stringify(flag)} is not known; ${nearNames(flag, Object.keys(flags))}`,
      { code: 'name-unknown', subject: { kind: 'option', name: 'views' } },
    );
  });
  return viewNames.filter((name) => wanted.includes(name));
}

/**
 * Reads what --without-dimensions lists: columns, counted from 0.
 * @throws InputError if they are not whole numbers
 */
export function readDimensions(text: string): number[] {
  const dimensions = text.split(',').map((word) => {
    if (!/^\s*\d{1,9}\s*$/.test(word))
      throw new InputError(
        wording`${option('withoutDimensions')} ${JSON.stringify(word)} is not a dimension; give whole numbers from 0 on, such as 5,17`,
        { code: 'option-out-of-range', subject: { kind: 'option', name: 'withoutDimensions' } },
      );
    return Number(word);
  });
  return [...new Set(dimensions)];
}

/** @throws InputError if a matrix has no such column */
export function checkDimensions(listed: readonly number[], columns: number, name: string): void {
  const beyond = listed.find((dimension) => dimension >= columns);
  if (beyond !== undefined)
    throw new InputError(
      wording`${option('withoutDimensions')} ${beyond}: ${name} has ${columns} dimensions; give numbers from 0 to ${columns - 1}`,
      { code: 'option-out-of-range', subject: { kind: 'option', name: 'withoutDimensions' } },
    );
}

function indices(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function copyIfWide(values: Numbers): Numbers {
  return values instanceof Float64Array ? values.slice() : values;
}
