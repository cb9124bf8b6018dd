import type { ModelConfig } from './config.ts';

/**
 * Bytes of the activations of one batch on the GPU: the residual, two norms, queries, keys and values, attention's
 * output, the MLP's hidden layer, and a tile of logits.
 *
 * @param sequences B
 * @param tokens T
 */
export function activationBytes(config: ModelConfig, sequences: number, tokens: number): number {
  const perRow = 4 * (7 * config.width + config.innerWidth);
  return sequences * tokens * perRow + 16 * 2 ** 20;
}
