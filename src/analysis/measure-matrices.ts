import { NumericalError } from '../engine/errors.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { layerDimensions } from './dimensions.ts';
import type { LayerDimensions, SingularValues } from './dimensions.ts';
import { prepareMatrix } from './prepare-matrix.ts';
import { spectrumScratch } from './scratch.ts';
import { computeSpectra } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';
import { spectrumShape, workspaceBytes } from './spectrum/workspace.ts';

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

export interface MeasureOptions {
  /** Percent of the variance that the effective dimension must exceed. */
  readonly threshold: number;
  readonly signal?: AbortSignal;
  /** Called with matrices done and matrices in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The maximum number of bytes of matrices on the GPU at once; with a smaller memory limit, an eighth of it. */
const BATCH_BYTES = 256 * 2 ** 20;
/** The maximum number of matrices on the GPU at once, so that the host's work between batches stays short. */
const BATCH_MATRICES = 1024;

/**
 * Measures matrices of any shapes, in batches of neighbours of one shape. Each is prepared on the host first (see
 * `prepareMatrix`), so that the numbers may be of any size that float64 holds.
 *
 * @throws NumericalError naming a matrix that holds NaN or infinity, or whose singular values exceed float64
 * @throws InputError and DeviceError as `computeSpectra` does
 */
export async function measureMatrices(
  gpu: Gpu,
  matrices: readonly UnreadMatrix[],
  { threshold, signal, onProgress }: MeasureOptions,
): Promise<MeasuredMatrix[]> {
  const measured: MeasuredMatrix[] = [];
  while (measured.length < matrices.length) {
    const first = measured.length;
    const next = matrices[first]!;
    if (Math.min(next.rows, next.columns) === 1) {
      signal?.throwIfAborted();
      const { spectrum, exponent } = await spectrumOfVector(next);
      measured.push(inOwnUnits(next, spectrum, exponent, threshold));
      onProgress?.(measured.length, matrices.length);
      continue;
    }
    const batch = nextBatch(gpu, matrices, first);
    const answers = await spectraOfBatch(gpu, batch, signal, (done, total) =>
      onProgress?.(first + Math.floor((batch.length * done) / total), matrices.length),
    );
    answers.forEach(({ spectrum, exponent }, index) => {
      measured.push(inOwnUnits(batch[index]!, spectrum, exponent, threshold));
    });
    onProgress?.(measured.length, matrices.length);
  }
  return measured;
}

function nextBatch(gpu: Gpu, matrices: readonly UnreadMatrix[], first: number): UnreadMatrix[] {
  const { rows, columns } = matrices[first]!;
  const free = gpu.memoryLimit - gpu.allocatedBytes - workspaceBytes(spectrumShape(rows, columns), 1);
  const bytes = Math.min(BATCH_BYTES, gpu.memoryLimit / 8, free, gpu.device.limits.maxBufferSize);
  const most = Math.max(1, Math.min(BATCH_MATRICES, Math.floor(bytes / (4 * rows * columns))));
  const candidates = matrices.slice(first, first + most);
  const end = candidates.findIndex((matrix) => matrix.rows !== rows || matrix.columns !== columns);
  return end < 0 ? candidates : candidates.slice(0, end);
}

interface ScaledSpectrum {
  readonly spectrum: { readonly singularValues: SingularValues; readonly cumulativePercent?: Float32Array };
  /** The matrix was divided by 2 to this power. */
  readonly exponent: number;
}

async function spectraOfBatch(
  gpu: Gpu,
  batch: readonly UnreadMatrix[],
  signal: AbortSignal | undefined,
  onProgress: (done: number, total: number) => void,
): Promise<ScaledSpectrum[]> {
  const { name, rows, columns } = batch[0]!;
  const size = rows * columns;
  const buffer = gpu.allocate(name, 4 * size * batch.length);
  try {
    const exponents: number[] = [];
    for (const [index, matrix] of batch.entries()) {
      signal?.throwIfAborted();
      const { values, exponent } = prepareMatrix(await matrix.read(), rows, columns, matrix.name);
      gpu.write(buffer, 4 * size * index, values);
      exponents.push(exponent);
    }
    const views = batch.map((matrix, index): MatrixView => ({
      name: matrix.name,
      buffer,
      offset: size * index,
      rows,
      columns,
    }));
    const scratchBytes = spectrumScratch(gpu);
    const spectra = await computeSpectra(gpu, views, { ...(signal && { signal }), scratchBytes, onProgress });
    return spectra.map((spectrum, index) => ({ spectrum, exponent: exponents[index]! }));
  } finally {
    gpu.free(buffer);
  }
}

/** One row or column has one singular value, its norm, which needs no GPU: stacks of such may have millions. */
async function spectrumOfVector(matrix: UnreadMatrix): Promise<ScaledSpectrum> {
  const { name, rows, columns } = matrix;
  const { values, exponent } = prepareMatrix(await matrix.read(), rows, columns, name);
  if (rows === 1) return { spectrum: { singularValues: Float64Array.of(0) }, exponent };
  const mean = values.reduce((sum, value) => sum + value, 0) / rows;
  const drift = values.reduce((sum, value) => sum + (value - mean), 0) / rows;
  const norm = Math.sqrt(values.reduce((sum, value) => sum + (value - mean - drift) ** 2, 0));
  return { spectrum: { singularValues: Float64Array.of(norm) }, exponent };
}

function inOwnUnits(
  { name, rows, columns }: UnreadMatrix,
  { singularValues, cumulativePercent }: ScaledSpectrum['spectrum'],
  exponent: number,
  threshold: number,
): MeasuredMatrix {
  // Squares of the values as the GPU has them neither overflow nor vanish in float64.
  const scaled = layerDimensions(singularValues, rows, columns, threshold, cumulativePercent);
  const own = Float64Array.from(singularValues, (value) => timesPowerOfTwo(value, exponent));
  if (own[0] === Infinity) {
    throw new NumericalError(`the singular values of ${name} exceed the range of float64; scale it down`);
  }
  const rank_tolerance = timesPowerOfTwo(scaled.rank_tolerance, exponent);
  return { singularValues: own, dimensions: { ...scaled, rank_tolerance } };
}

/** value · 2^exponent, in two steps, because 2^exponent alone may be out of range. */
export function timesPowerOfTwo(value: number, exponent: number): number {
  const half = Math.trunc(exponent / 2);
  return value * 2 ** half * 2 ** (exponent - half);
}
