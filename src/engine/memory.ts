import type { AdapterReport } from './gpu/gpu.ts';

/** The maximum number of bytes of lm_head that are on the GPU at once while weights stream. */
export const HEAD_SLICE_BYTES = 64 * 2 ** 20;
/** The maximum number of bytes of logits that exist at once. */
export const LOGITS_TILE_BYTES = 16 * 2 ** 20;
/** Flags, indices and other small buffers, together. */
const SMALL_BUFFERS_BYTES = 256 * 2 ** 10;

/** Weights larger than this stream through a hardware GPU, whose memory WebGPU does not tell. */
const HARDWARE_BYTES = 4 * 2 ** 30;
/** The part of the machine's memory that buffers of a software adapter may take. */
const SOFTWARE_SHARE = 1 / 4;

/**
 * The bound on GPU memory where the user gives none. A software adapter's buffers are the machine's own memory.
 * @param weightBytes of the model that will run, 0 if none
 * @param machineBytes memory of the machine
 * @returns bytes, Infinity for no bound
 */
export function defaultMemoryLimit(
  adapter: AdapterReport,
  weightBytes: number,
  machineBytes: number,
): number {
  if (adapter.software) return Math.floor(machineBytes * SOFTWARE_SHARE);
  return weightBytes > HARDWARE_BYTES ? HARDWARE_BYTES : Infinity;
}

/** What a model's weights take. All in bytes. */
export interface WeightSizes {
  /** On the GPU, all blocks, the final norm and the head: what stays there if it fits. */
  readonly all: number;
  /** On the GPU, the largest block alone. */
  readonly block: number;
  readonly finalNorm: number;
  /** 0 if there is no head. */
  readonly head: number;
  /** Read from the files by one run, without the rows of the embeddings. */
  readonly read: number;
  /** Read for one position of one sequence: a row of each embedding. */
  readonly embeddingRow: number;
}

/**
 * Bytes that a batch takes on the GPU besides what its steps write: a tile of logits, running sums, flags and indices.
 * @param rows B·T
 */
export function batchBytes(rows: number, vocabulary: number): number {
  return 48 * rows + Math.min(LOGITS_TILE_BYTES, 4 * rows * vocabulary) + SMALL_BUFFERS_BYTES;
}

/** What a bound on GPU memory does to the weights. */
export interface WeightPlan {
  /** All weights stay on the GPU; else they stream through it. */
  readonly isResident: boolean;
  /** The maximum number of bytes of weights there at once. */
  readonly bytes: number;
  /** The minimum number of bytes of weights with which a run can finish: one block, or a slice of lm_head. */
  readonly minBytes: number;
}

/**
 * Whether weights stay or stream: they stay if all of them, and `reserve` bytes for everything else, fit the bound.
 * @param limit bytes of GPU memory, Infinity for no bound
 */
export function planWeights(sizes: WeightSizes, reserve: number, limit: number): WeightPlan {
  const isResident = sizes.all + reserve <= limit;
  const streamed = sizes.finalNorm + Math.max(2 * sizes.block, Math.min(sizes.head, HEAD_SLICE_BYTES));
  return {
    isResident,
    bytes: isResident ? sizes.all : Math.min(streamed, sizes.all),
    minBytes: sizes.finalNorm + sizes.block,
  };
}
