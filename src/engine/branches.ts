import type { BufferRange } from './gpu/kernel.ts';

/**
 * A place on the residual stream's way: l from 0 to L − 1 before block l, L after the last block, L + 1 after the final
 * norm.
 */
export type StatePoint = number;

/** A sequence's way from a point on, with a state of its own there. */
export interface Branch {
  readonly sequence: number;
  readonly point: StatePoint;
}

/** The states of all sequences, and of the branches that have begun, at a point. Valid during the call only. */
export interface BranchedState {
  readonly point: StatePoint;
  /** How many sequences; the branches come after them, in order. */
  readonly sequences: number;
  /** How many branches have begun, including those that begin here. */
  readonly begun: number;
  /** F32 [T, width] of a sequence or a branch, as a range to bind. */
  rows(slot: number): { readonly binding: BufferRange; readonly firstElement: number };
  /** Copies the rows of a sequence or a branch to a buffer. */
  read(slot: number, target: GPUBuffer): void;
  /** Replaces the rows of a sequence or a branch by those of a buffer. */
  write(slot: number, source: GPUBuffer): void;
}

export interface BranchedOptions {
  readonly signal?: AbortSignal | undefined;
  /** Steps done and steps in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Where to begin, at most at L, with each sequence's state there [T · width]: what is before it is not computed again. */
  readonly start?: { readonly point: StatePoint; readonly states: readonly Float32Array[] } | undefined;
  /**
   * Called at each point where branches begin, with a copy of their sequence's state in each of them, to be changed.
   * @param first of the branches that begin here; they reach to the last that has begun
   */
  readonly onBranch: (state: BranchedState, first: number) => Promise<void>;
  /** Called at each point, when the branches that begin there were changed. */
  readonly onState: (state: BranchedState) => Promise<void>;
}

/** What is kept of the logits of a sequence or a branch, [T] or [T − 1] each. */
export interface BranchedLogits {
  readonly argmax: Int32Array;
  /** In nats: minus the log-probability of the next token. */
  readonly loss: Float32Array;
  /** The change from a sequence's distribution to that of its branch; null for a sequence. */
  readonly change: { readonly divergence: Float64Array; readonly largest: Float64Array } | null;
}
