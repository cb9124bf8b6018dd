import type { Architecture } from './architecture.ts';
import type { Shaped, Steps } from './steps.ts';

/** What every family's blocks have in common: a part of the pass, which begins and ends with the residual stream. */

/** Begins a block: names its input. */
export function enterBlock<T extends Shaped>(steps: Steps<T>, layer: number): void {
  steps.enter(`blocks.${layer}.`);
  steps.activation('hook_resid_pre', steps.residual);
}

/** Replaces `steps.residual` by the output of a block that was entered. */
export function runBlock<T extends Shaped>(
  architecture: Architecture,
  steps: Steps<T>,
  weights: Readonly<Record<string, T>>,
  layer: number,
): void {
  architecture.block<T>(steps, weights, layer);
  steps.activation('hook_resid_post', steps.residual);
}

/** The residual stream through what follows the last block. */
export function runFinal<T extends Shaped>(
  architecture: Architecture,
  steps: Steps<T>,
  weights: Readonly<Record<string, T>>,
): T {
  steps.enter('');
  return architecture.final<T>(steps, weights);
}
