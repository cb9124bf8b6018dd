import { runBlock, runFinal } from './architectures/blocks.ts';
import { foldBranches } from './branched-logits.ts';
import type { Branch, BranchedLogits, BranchedOptions, StatePoint } from './branches.ts';
import type { ModelDescription } from './description.ts';
import { embedSequences } from './embed-sequences.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import { GrowingBatch } from './growing-batch.ts';
import { checkSequences } from './sequences.ts';
import { StateWatch } from './state-watch.ts';
import type { WeightStore } from './weight-store.ts';

/**
 * Runs a batch of sequences of equal length, and branches that leave them on the way, in one pass. The batch grows where the
 * branches begin. So the layers before are computed once, and each weight is read once.
 *
 * @param branches in the order of their points
 * @returns the logits of the sequences, then those of the branches; null if the model has none
 * @throws as `Model.run` does
 */
export async function runBranched(
  gpu: Gpu,
  store: WeightStore,
  description: ModelDescription,
  sequences: readonly Int32Array[],
  branches: readonly Branch[],
  options: BranchedOptions,
): Promise<BranchedLogits[] | null> {
  checkSequences(description.config, sequences);
  const { architecture, config } = description;
  const { signal, onProgress, start } = options;
  const first = start?.point ?? 0;
  const steps = config.layers - first + 2;
  let done = 0;
  const step = async (): Promise<void> => {
    // The GPU must have used a streamed block's weights before the next ones come.
    await (store.isResident ? batch.pass.settle() : batch.pass.finish());
    signal?.throwIfAborted();
    onProgress?.(++done, steps);
  };
  using states = new StateWatch(gpu, config.layers + 2);
  using batch = new GrowingBatch(gpu, sequences, config.width, signal);
  const tokens = sequences[0]!.length;
  const bytesOf = (slots: number) => description.activationBytes(slots, tokens);
  const stateBytes = 4 * tokens * config.width;
  // The old and the new states lie side by side while the batch grows.
  const maxBytes = bytesOf(sequences.length + branches.length) + sequences.length * stateBytes;
  let begun = 0;
  const visit = async (point: StatePoint): Promise<void> => {
    const firstBegun = begun;
    while (branches[begun]?.point === point) begun += 1;
    const joining = branches.slice(firstBegun, begun).map(({ sequence }) => sequence);
    batch.grow(joining);
    const state = batch.at(point, begun);
    if (joining.length > 0) await options.onBranch(state, firstBegun);
    states.watch(batch.pass, batch.state);
    batch.pass.submit();
    await batch.pass.settle();
    await options.onState(state);
  };

  signal?.throwIfAborted();
  try {
    if (start) batch.begin(start.states);
    else await embedSequences(batch.pass, description, sequences);
    await step();
    for (let layer = first; layer < config.layers; layer++) {
      await visit(layer);
      const weights = await store.block(layer, { signal });
      runBlock<Tensor>(architecture, batch.pass, weights, layer);
      const { sequences: slots } = batch.pass;
      store.loadAhead(layer + 1, { signal }, maxBytes - bytesOf(slots) + slots * stateBytes);
      batch.pass.submit();
      await step();
      await store.release(layer);
    }
    await visit(config.layers);
    batch.state = runFinal<Tensor>(architecture, batch.pass, store.final);
    batch.pass.submit();
    await visit(config.layers + 1);
    await states.check();
    const logits = await foldBranches(gpu, store, description, batch, sequences, branches, options);
    await step();
    return logits;
  } finally {
    await store.reset();
  }
}
