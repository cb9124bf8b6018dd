import { tokensOf } from '../../engine/loaded-model.ts';
import type { LoadedModel } from '../../engine/loaded-model.ts';
import { isSeveral } from '../../engine/sequence-run.ts';
import type { TextOrIds } from '../../engine/sequence-run.ts';
import { reduceSequences } from './reduce-states.ts';
import type { ReductionOptions, ReductionRequest, Reductions } from './reduce-states.ts';

/**
 * Cuts the states of a model's layers to their first components, one cut at a time, and compares each with the run without a
 * cut: logits, losses and later states. `reduceSequences` explains how.
 *
 * `reduceStates(model, text, { layers: [3, 'residual_final'], components: [1, 8, '95%'] })`
 *
 * @param input a text or token ids, or several of equally many tokens
 * @throws as `reduceSequences` does, as `model.tokenize`, and as `model.run` if another run has not finished
 */
export async function reduceStates(
  model: LoadedModel,
  input: TextOrIds | readonly TextOrIds[],
  request: ReductionRequest,
  options: ReductionOptions = {},
): Promise<Reductions> {
  return model.whileRunning(async () => {
    const inputs = isSeveral(input) ? input : [input];
    const sequences = await tokensOf(model, inputs, options.signal);
    return reduceSequences(model.model, sequences, request, options);
  });
}
