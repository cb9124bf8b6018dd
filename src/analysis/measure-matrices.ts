import { NumericalError } from '../engine/errors.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { layerDimensions } from './dimensions.ts';
import type { LayerDimensions, SingularValues } from './dimensions.ts';
import { prepareMatrix } from './prepare-matrix.ts';
import { spectraInBatches } from './spectrum-batches.ts';
import type { BatchOptions, BatchedMatrix } from './spectrum-batches.ts';

/** A matrix that is read when its turn comes. */
export interface UnreadMatrix {
  /** What error messages call it, e.g. 'states.npy, slice 3'. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Row-major, [rows · columns]; may be overwritten afterwards. */
  read(): Promise<Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>;
}

/** A matrix's answer, in the units of its numbers. */
export interface MeasuredMatrix {
  /** σ of the column-centred matrix, descending, [min(rows, columns)]. */
  readonly singularValues: Float64Array;
  readonly dimensions: LayerDimensions;
}

/** Spectra are always whole here: ranks follow from their small values. */
export interface MeasureOptions extends Omit<BatchOptions, 'isCoarse'> {
  /** Percent of the variance that the effective dimension must exceed. */
  readonly threshold: number;
}

/**
 * Measures matrices of any shapes, those of one shape together. Each is prepared on the host first (see `prepareMatrix`),
 * so that the numbers may be of any size that float64 holds.
 *
 * @throws NumericalError naming a matrix that holds NaN or infinity, or whose singular values exceed float64
 * @throws InputError and DeviceError as `computeSpectra` does
 */
export async function measureMatrices(
  gpu: Gpu,
  matrices: readonly UnreadMatrix[],
  { threshold, signal, onProgress, batchBytes }: MeasureOptions,
): Promise<MeasuredMatrix[]> {
  const measured: MeasuredMatrix[] = [];
  const exponents: number[] = [];
  const others: number[] = [];
  for (const [index, matrix] of matrices.entries()) {
    if (Math.min(matrix.rows, matrix.columns) !== 1) {
      others.push(index);
      continue;
    }
    signal?.throwIfAborted();
    const { singularValues, exponent } = await spectrumOfVector(matrix);
    measured[index] = inOwnUnits(matrix, { singularValues }, exponent, threshold);
    onProgress?.(index + 1 - others.length, matrices.length);
  }
  const vectors = matrices.length - others.length;
  const sources = others.map((index): BatchedMatrix => {
    const matrix = matrices[index]!;
    const { name, rows, columns } = matrix;
    return {
      name,
      rows,
      columns,
      read: async () => {
        const { values, exponent } = prepareMatrix(await matrix.read(), rows, columns, name);
        exponents[index] = exponent;
        return values;
      },
    };
  });
  const spectra = await spectraInBatches(gpu, sources, {
    ...(signal && { signal }),
    ...(batchBytes !== undefined && { batchBytes }),
    onProgress: (done) => onProgress?.(vectors + done, matrices.length),
  });
  for (const [place, index] of others.entries())
    measured[index] = inOwnUnits(matrices[index]!, spectra[place]!, exponents[index]!, threshold);
  return measured;
}

/** One row or column has one singular value, its norm, which needs no GPU: stacks of such may have millions. */
async function spectrumOfVector(
  matrix: UnreadMatrix,
): Promise<{ singularValues: SingularValues; exponent: number }> {
  const { name, rows, columns } = matrix;
  const { values, exponent } = prepareMatrix(await matrix.read(), rows, columns, name);
  if (rows === 1) return { singularValues: Float64Array.of(0), exponent };
  const mean = values.reduce((sum, value) => sum + value, 0) / rows;
  const drift = values.reduce((sum, value) => sum + (value - mean), 0) / rows;
  const norm = Math.sqrt(values.reduce((sum, value) => sum + (value - mean - drift) ** 2, 0));
  return { singularValues: Float64Array.of(norm), exponent };
}

function inOwnUnits(
  { name, rows, columns }: UnreadMatrix,
  { singularValues, cumulativePercent }: { singularValues: SingularValues; cumulativePercent?: Float32Array },
  exponent: number,
  threshold: number,
): MeasuredMatrix {
  // Squares of the values as the GPU has them neither overflow nor vanish in float64.
  const scaled = layerDimensions(singularValues, rows, columns, threshold, cumulativePercent);
  const own = Float64Array.from(singularValues, (value) => timesPowerOfTwo(value, exponent));
  if (own[0] === Infinity) {
    throw new NumericalError(`the singular values of ${name} exceed the range of float64; scale it down`, {
      code: 'matrix-out-of-range',
      subject: { kind: 'matrix', name },
    });
  }
  const rank_tolerance = timesPowerOfTwo(scaled.rank_tolerance, exponent);
  return { singularValues: own, dimensions: { ...scaled, rank_tolerance } };
}

/** value · 2^exponent, in two steps, because 2^exponent alone may be out of range. */
export function timesPowerOfTwo(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2);
  return value * 2 ** half * 2 ** (exponent - half);
}
