import { architectureOf } from './architectures/choose.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { ModelConfig } from './config.ts';
import type { AdapterReport } from './gpu/gpu.ts';
import { elementCount } from './gpu/tensor.ts';
import { weightBytes, weightEntry } from './weights.ts';
import type { WeightSpec } from './weights.ts';

/** The most bytes of lm_head that are on the GPU at once while weights stream. */
export const HEAD_SLICE_BYTES = 64 * 2 ** 20;
/** The most bytes of logits that exist at once. */
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

/** What a model's weights take. All in bytes, but for the elements. */
export interface WeightSizes {
  /** On the GPU, all blocks, the final norm and lm_head: what stays there if it fits. */
  readonly all: number;
  /** On the GPU, the largest block alone. */
  readonly block: number;
  readonly finalNorm: number;
  readonly head: number;
  /** Read from the files by one run, without the rows of the embeddings. */
  readonly read: number;
  /** Read for one position of one sequence: a row of each embedding. */
  readonly embeddingRow: number;
  /** Elements of the matrices that each position is multiplied with: those of all blocks, and lm_head. */
  readonly matrixElements: number;
}

/** Sizes of a checkpoint's weights, from its headers alone. @throws CheckpointError for a missing or misshapen tensor. */
export function weightSizes(checkpoint: Checkpoint): WeightSizes {
  const { blockWeights, finalNorm, head, embeddings } = architectureOf(checkpoint);
  const onGpu = (specs: readonly WeightSpec[]) =>
    specs.reduce((sum, spec) => sum + weightBytes(checkpoint, spec), 0);
  const blocks = Array.from({ length: checkpoint.config.layers }, (_, layer) =>
    Object.values(blockWeights(layer)),
  );
  const all = [...blocks.flat(), ...Object.values(finalNorm), head];
  return {
    all: onGpu(all),
    block: Math.max(...blocks.map(onGpu)),
    finalNorm: onGpu(Object.values(finalNorm)),
    head: onGpu([head]),
    read: all.reduce((sum, spec) => sum + weightEntry(checkpoint, spec).bytes, 0),
    embeddingRow: embeddings.reduce(
      (sum, { table }) => sum + weightEntry(checkpoint, table).bytes / table.shape[0]!,
      0,
    ),
    matrixElements: all
      .filter(({ shape }) => shape.length > 1)
      .reduce((sum, { shape }) => sum + elementCount(shape), 0),
  };
}

/**
 * Bytes of the activations of one batch on the GPU: the residual, two norms, queries, keys and values, attention's
 * output, the MLP's hidden layer, the tables of rotary positions, and a tile of logits.
 *
 * @param sequences B
 * @param tokens T
 */
export function activationBytes(config: ModelConfig, sequences: number, tokens: number): number {
  const { width, innerWidth, vocabulary } = config;
  const rows = sequences * tokens;
  const perRow = 4 * (7 * width + innerWidth) + 32;
  const rotary = config.architecture === 'gpt_neox' ? 4 * tokens * config.rotaryDimensions : 0;
  const logits = Math.min(LOGITS_TILE_BYTES, 4 * rows * vocabulary);
  return rows * perRow + rotary + logits + SMALL_BUFFERS_BYTES;
}

/** What a bound on GPU memory does to the weights. */
export interface WeightPlan {
  /** All weights stay on the GPU; else they stream through it. */
  readonly isResident: boolean;
  /** The most bytes of weights there at once. */
  readonly bytes: number;
  /** The fewest bytes of weights that a run can do with: one block, or a slice of lm_head. */
  readonly least: number;
}

/**
 * Whether weights stay or stream: they stay where all of them, and `reserve` bytes for everything else, fit the bound.
 * @param limit bytes of GPU memory, Infinity for no bound
 */
export function planWeights(sizes: WeightSizes, reserve: number, limit: number): WeightPlan {
  const isResident = sizes.all + reserve <= limit;
  const streamed = sizes.finalNorm + Math.max(2 * sizes.block, Math.min(sizes.head, HEAD_SLICE_BYTES));
  return {
    isResident,
    bytes: isResident ? sizes.all : Math.min(streamed, sizes.all),
    least: sizes.finalNorm + sizes.block,
  };
}

/**
 * Floating-point operations of a forward pass: two for each element of a matrix and position, and attention's, of
 * which causality leaves half.
 */
export function forwardOperations(
  config: ModelConfig,
  sizes: WeightSizes,
  sequences: number,
  tokens: number,
): number {
  const attention = config.layers * 2 * tokens * (tokens + 1) * config.width;
  return sequences * (2 * tokens * sizes.matrixElements + attention);
}
