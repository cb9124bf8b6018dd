import type { Gpu } from '../engine/gpu/gpu.ts';
import { spectrumScratch } from './scratch.ts';
import { computeSpectra } from './spectrum.ts';
import type { Spectrum } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';
import { spectrumShape, workspaceBytes } from './spectrum/workspace.ts';

/** A matrix in float32, as `computeSpectra` takes it, that is made when its turn comes. */
export interface BatchedMatrix extends Pick<MatrixView, 'name' | 'rows' | 'columns' | 'isCentred'> {
  /** Row-major, [rows · columns]. */
  read(): Promise<Float32Array<ArrayBuffer>>;
}

export interface BatchOptions {
  readonly signal?: AbortSignal;
  /** Called with matrices done and matrices in all. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The maximum number of bytes of matrices on the GPU at once; with a smaller memory limit, an eighth of it. Default 256 MiB. */
  readonly batchBytes?: number;
  /** See SpectrumOptions. */
  readonly isCoarse?: boolean;
}

const BATCH_BYTES = 256 * 2 ** 20;
/** The maximum number of matrices on the GPU at once, so that the host's work between batches stays short. */
const BATCH_MATRICES = 1024;

/**
 * Spectra of matrices of any shapes, those of one shape together. A matrix's numbers do not depend on what it is computed with.
 * @returns one spectrum per matrix, in the order of the matrices
 * @throws as `computeSpectra` does
 */
export async function spectraInBatches(
  gpu: Gpu,
  matrices: readonly BatchedMatrix[],
  { signal, onProgress, batchBytes = BATCH_BYTES, isCoarse = false }: BatchOptions = {},
): Promise<Spectrum[]> {
  // Matrices of one shape stay in their order.
  const order = [...matrices.keys()].sort(
    (a, b) => matrices[a]!.rows - matrices[b]!.rows || matrices[a]!.columns - matrices[b]!.columns,
  );
  const sorted = order.map((index) => matrices[index]!);
  const spectra: Spectrum[] = [];
  let done = 0;
  while (done < sorted.length) {
    const first = done;
    const batch = nextBatch(gpu, sorted, first, batchBytes);
    const answers = await spectraOfBatch(gpu, batch, { signal, isCoarse }, (step, steps) =>
      onProgress?.(first + Math.floor((batch.length * step) / steps), sorted.length),
    );
    for (const spectrum of answers) spectra[order[done++]!] = spectrum;
    onProgress?.(done, sorted.length);
  }
  return spectra;
}

function nextBatch(
  gpu: Gpu,
  matrices: readonly BatchedMatrix[],
  first: number,
  batchBytes: number,
): BatchedMatrix[] {
  const { rows, columns } = matrices[first]!;
  const free = gpu.memoryLimit - gpu.allocatedBytes - workspaceBytes(spectrumShape(rows, columns), 1);
  const bytes = Math.min(batchBytes, gpu.memoryLimit / 8, free, gpu.device.limits.maxBufferSize);
  const most = Math.max(1, Math.min(BATCH_MATRICES, Math.floor(bytes / (4 * rows * columns))));
  const candidates = matrices.slice(first, first + most);
  const end = candidates.findIndex((matrix) => matrix.rows !== rows || matrix.columns !== columns);
  return end < 0 ? candidates : candidates.slice(0, end);
}

async function spectraOfBatch(
  gpu: Gpu,
  batch: readonly BatchedMatrix[],
  { signal, isCoarse }: { signal: AbortSignal | undefined; isCoarse: boolean },
  onProgress: (done: number, total: number) => void,
): Promise<Spectrum[]> {
  const { name, rows, columns } = batch[0]!;
  const size = rows * columns;
  const buffer = gpu.allocate(name, 4 * size * batch.length);
  try {
    for (const [index, matrix] of batch.entries()) {
      signal?.throwIfAborted();
      gpu.write(buffer, 4 * size * index, await matrix.read());
    }
    const views = batch.map((matrix, index): MatrixView => ({
      name: matrix.name,
      buffer,
      offset: size * index,
      rows,
      columns,
      ...(matrix.isCentred && { isCentred: true }),
    }));
    const scratchBytes = spectrumScratch(gpu);
    return await computeSpectra(gpu, views, {
      ...(signal && { signal }),
      scratchBytes,
      isCoarse,
      onProgress,
    });
  } finally {
    gpu.free(buffer);
  }
}
