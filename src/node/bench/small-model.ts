import type { MakeCheckpointOptions } from '../make-checkpoint.ts';

/** The shape of an unpublished GPT-2, for measurements. */
export interface SmallShape {
  readonly layers: number;
  readonly width: number;
  readonly heads: number;
  readonly vocabulary: number;
  readonly context: number;
}

/** How to make random weights of such a shape. */
export function smallModel({
  layers,
  width,
  heads,
  vocabulary,
  context,
}: SmallShape): Pick<MakeCheckpointOptions, 'like' | 'layers' | 'settings'> {
  return {
    like: 'gpt2',
    layers,
    settings: {
      n_embd: width,
      n_head: heads,
      vocab_size: vocabulary,
      n_positions: context,
      n_ctx: context,
      bos_token_id: 0,
      eos_token_id: 0,
    },
  };
}
