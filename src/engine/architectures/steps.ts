import type { Activation } from '../activations.ts';
import type { RotaryScaling } from '../rotary.ts';

/** Anything with a shape: a tensor on the GPU, or the declaration of one. */
export interface Shaped {
  readonly shape: readonly number[];
}

/** The tensors that the steps of a block write, kept from block to block. */
export type Scratch = 'normed' | 'mlpNormed' | 'queryKeyValue' | 'attended' | 'inner' | 'up';

export interface NormWeights<T> {
  readonly weight: T;
  readonly bias: T;
  readonly epsilon: number;
  /** What its activations are called: `ln1` of `ln1.hook_scale`, `ln1.hook_normalized` and `ln1.hook_out`. */
  readonly name?: string;
}

/** A norm without a mean and without a bias. */
export type RmsNormWeights<T> = Omit<NormWeights<T>, 'bias'>;

export interface LinearWeights<T> {
  readonly weight: T;
  readonly bias?: T | undefined;
  /** How the matrix lies: Conv1D's [in, out] or Linear's [out, in]. */
  readonly layout: '[in, out]' | '[out, in]';
  readonly activation?: Activation;
  /** What input · weight + bias is called, before the activation and before it is added to anything. */
  readonly name?: string;
}

/** Where heads lie in a row of queries, keys and values, in elements. */
export interface HeadLayout {
  /** Heads of queries. */
  readonly heads: number;
  /** Heads of keys, and of values. Each serves an equal number of query heads. Default: `heads`. */
  readonly keyValueHeads?: number;
  readonly headWidth: number;
  /** From one head's query to the next's, and from one head's key to the next's. */
  readonly headStride: number;
  /** From the first query to the first key. */
  readonly keyOffset: number;
}

export interface RotaryLayout extends HeadLayout {
  /** r: frequency i is base^(−2i/r), and there are ceil(r/2) of them; the first 2·ceil(r/2) dimensions turn. */
  readonly dimensions: number;
  readonly base: number;
  /** How longer contexts stretch the frequencies; by default not at all. */
  readonly scaling?: RotaryScaling | undefined;
}

export interface AttentionLayout extends HeadLayout {
  /** From the first query to the first value. */
  readonly valueOffset: number;
  /** The factor of the scores. */
  readonly scale: number;
  /** What its activations are called: `attn` of `attn.hook_attn_scores`, `attn.hook_pattern` and `attn.hook_z`. */
  readonly name?: string;
}

/** Heads within the rows of a tensor, in elements. */
export interface HeadSlice {
  readonly heads: number;
  readonly headWidth: number;
  /** From one head to the next. */
  readonly headStride: number;
  /** From a row's start to the first head. */
  readonly offset: number;
}

/** Where the queries, keys and values of a tensor lie. */
export function headSlices(layout: HeadLayout & { readonly valueOffset?: number }): {
  readonly query: HeadSlice;
  readonly key: HeadSlice;
  readonly value: HeadSlice;
} {
  const { heads, keyValueHeads = heads, headWidth, headStride, keyOffset, valueOffset = 0 } = layout;
  const at = (offset: number, count: number): HeadSlice => ({ heads: count, headWidth, headStride, offset });
  return { query: at(0, heads), key: at(keyOffset, keyValueHeads), value: at(valueOffset, keyValueHeads) };
}

/**
 * The steps of the papers, in which an architecture writes its blocks. `ForwardPass` computes them on the GPU. `HookedPass`
 * does so when activations are looked at or changed. `Tally` counts their cost. All three see the same block.
 */
export interface Steps<T extends Shaped> {
  /** The residual stream, F32 [B·T, width]. */
  readonly residual: T;
  /** Begins a part of the model: what the names of the activations that follow begin with, such as `blocks.3.`. */
  enter(part: string): void;
  /**
   * Says that the rows of a tensor, or heads in them, are the activation of this name now: later steps read it.
   * @param name after that of the part, such as `attn.hook_q`
   */
  activation(name: string, tensor: T, heads?: HeadSlice): void;
  /** Normalises each row of input [B·T, width]. */
  layerNorm(input: T, into: Scratch, norm: NormWeights<T>): T;
  /** RMS norm of each row of input [B·T, width]. */
  rmsNorm(input: T, into: Scratch, norm: RmsNormWeights<T>): T;
  /** RMS norm of each of the heads, in place; the weight is [headWidth]. */
  normHeads(target: T, heads: HeadSlice, norm: RmsNormWeights<T>): void;
  /** activation(input · weight + bias): [B·T, out]. */
  linear(input: T, into: Scratch, weights: LinearWeights<T>): T;
  /** Several products of one input, side by side: [B·T, sum of their out]. */
  linears(input: T, into: Scratch, products: readonly LinearWeights<T>[]): T;
  /** target ← target · factor, element by element. */
  multiply(target: T, factor: T): void;
  /** target ← target + input · weight + bias. */
  addLinear(input: T, target: T, weights: LinearWeights<T>): void;
  /** Rotates the first dimensions of each query and key in place, by its position. */
  rotate(queryKeyValue: T, layout: RotaryLayout): void;
  /** Causal attention within each sequence: [B·T, heads · headWidth]. */
  attention(queryKeyValue: T, into: Scratch, layout: AttentionLayout): T;
}
