import type { ConfigFields, ModelConfig } from '../config.ts';
import type { Shaped, Steps } from './steps.ts';

/** A weight: its name in checkpoints, and its shape there. */
export interface WeightSpec {
  readonly name: string;
  /** One dimension: a bias or a norm, widened to F32 on the way. Two: a matrix, kept packed as it is stored. */
  readonly shape: readonly number[];
  /** A norm's scale: its values are near 1. Those of other weights are near 0. */
  readonly isScale?: boolean;
}

/** An embedding table, and whether its rows are looked up by token id or by position in the sequence. */
export interface EmbeddingSpec {
  readonly table: WeightSpec;
  readonly by: 'token' | 'position';
}

/** A buffer that published checkpoints hold besides weights. Nothing reads it. */
export interface BufferSpec extends Shaped {
  readonly name: string;
  /** 'model': that of the weights. */
  readonly dtype: 'model' | 'F32' | 'U8';
  /** What it holds: ones on and below the diagonal, or these numbers. */
  readonly content: 'causal-mask' | readonly number[];
}

/** One value for each weight of a block. `Optional` weights exist only if the configuration says so. */
export type BlockRecord<Role extends string, Optional extends string, Value> = Readonly<
  Record<Role, Value> & Partial<Record<Optional, Value>>
>;

/**
 * Describes an architecture: its configuration, its weights, and its forward pass, step by step. Everything else follows
 * from this: bytes, operations, counts of parameters, published checkpoints. `Role` names a block's weights as the
 * block's code does.
 */
export interface Architecture<
  Role extends string = string,
  Optional extends string = never,
  Final extends string = string,
> {
  readonly config: ModelConfig;
  /** What transformers puts before the base model's names where a head stands beside it: `transformer.`. */
  readonly basePrefix: string;
  /** Summed into hidden state 0, in this order; the token embedding is the first. */
  readonly embeddings: readonly EmbeddingSpec[];
  /** What the blocks are called: `h` where a weight is `h.3.ln_1.weight`. */
  readonly blocks: string;
  /** Names that follow `h.3.`. */
  blockWeights(layer: number): BlockRecord<Role, Optional, WeightSpec>;
  /** The buffers of each block, named as in `blockWeights`. */
  readonly blockBuffers: readonly BufferSpec[];
  /** What follows the last block. */
  readonly finalWeights: Readonly<Record<Final, WeightSpec>>;
  /** [vocabulary, width], by the name that it has beside the base model. */
  readonly head: WeightSpec;
  /** Replaces `steps.residual` [B·T, width] by the output of block `layer`. */
  block<T extends Shaped>(steps: Steps<T>, weights: BlockRecord<Role, Optional, T>, layer: number): void;
  /** The last hidden state, [B·T, width]: the residual through the final norm. */
  final<T extends Shaped>(steps: Steps<T>, weights: Readonly<Record<Final, T>>): T;
}

/** A family of configurations: what the registry knows of it. */
export interface Family {
  /** `model_type` in config.json. */
  readonly modelType: string;
  /** What the names of its classes begin with, as `architectures` in config.json lists them: `GPT2`. */
  readonly classPrefix: string;
  /** @throws ConfigError naming the key that is missing, contradicts another or is not supported. */
  describe(fields: ConfigFields): Architecture;
}
