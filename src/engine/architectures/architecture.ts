import type { ForwardPass } from '../forward-pass.ts';
import type { Tensor } from '../gpu/tensor.ts';
import type { WeightSpec } from '../weights.ts';

/** An embedding table, and whether its rows are looked up by token id or by position in the sequence. */
export interface EmbeddingSpec {
  readonly table: WeightSpec;
  readonly by: 'token' | 'position';
}

/** Something for each weight of a block; `Optional` weights are there if the configuration says so. */
export type BlockRecord<Role extends string, Optional extends string, Value> = Readonly<
  Record<Role, Value> & Partial<Record<Optional, Value>>
>;

/**
 * What an architecture says of itself: which weights it has, by the names in its checkpoints, and one block of its
 * forward pass, step by step. `Role` names a block's weights as the block's code does.
 */
export interface Architecture<Role extends string = string, Optional extends string = never> {
  /** Summed into hidden state 0, in this order. */
  readonly embeddings: readonly EmbeddingSpec[];
  blockWeights(layer: number): BlockRecord<Role, Optional, WeightSpec>;
  readonly finalNorm: Readonly<Record<'weight' | 'bias', WeightSpec>>;
  /** [vocabulary, width]. */
  readonly head: WeightSpec;
  /** Replaces `pass.residual` F32 [B·T, width] by the output of block `layer`. */
  block(pass: ForwardPass, weights: BlockRecord<Role, Optional, Tensor>, layer: number): void;
}
