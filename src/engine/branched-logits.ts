import type { Branch, BranchedLogits, BranchedOptions } from './branches.ts';
import type { ModelDescription } from './description.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { GrowingBatch } from './growing-batch.ts';
import type { FoldedLogits } from './log-softmax.ts';
import { lossTargets, Vocabulary } from './vocabulary.ts';
import type { WeightStore } from './weight-store.ts';

/** Rows of one tile of logits: a branch and its sequence must lie in the same tile to be compared. */
const ROWS_TOGETHER = 16_384;

/** Folds each sequence with some of its branches at a time, all in one pass over the vocabulary. */
export async function foldBranches(
  gpu: Gpu,
  store: WeightStore,
  description: ModelDescription,
  batch: GrowingBatch,
  sequences: readonly Int32Array[],
  branches: readonly Branch[],
  { signal, onNotice }: BranchedOptions,
): Promise<BranchedLogits[] | null> {
  if (!description.hasHead) return null;
  const tokens = sequences[0]!.length;
  const together = Math.max(1, Math.floor(ROWS_TOGETHER / tokens) - 1);
  const groups = sequences.flatMap((_, sequence) => {
    const own = branches.flatMap((branch, index) => (branch.sequence === sequence ? [index] : []));
    const count = Math.max(1, Math.ceil(own.length / together));
    return Array.from({ length: count }, (__, group) => ({
      sequence,
      branches: own.slice(group * together, (group + 1) * together),
    }));
  });
  const owned: Tensor[] = [];
  const own = (tensor: Tensor): Tensor => {
    owned.push(tensor);
    return tensor;
  };
  try {
    const states = groups.map(({ sequence, branches: members }) => {
      const slots = [sequence, ...members.map((branch) => sequences.length + branch)];
      const ids = slots.map(() => sequences[sequence]!);
      return {
        state: own(batch.gather(slots)),
        kept: {
          targets: own(lossTargets(gpu, ids, { loss: true })!),
          originals: members.length > 0 ? tokens : 0,
        },
      };
    });
    batch.pass.dispose(); // all but the final states
    const vocabulary = new Vocabulary(gpu, store, description, {
      ...(signal && { signal }),
      onNotice,
      targets: undefined,
    });
    const folded = await vocabulary.foldEach(states);
    if (!folded) return null;
    const answers: BranchedLogits[] = [];
    for (const [group, { sequence, branches: members }] of groups.entries()) {
      answers[sequence] ??= logitsOf(folded[group]!, 0, tokens);
      for (const [index, branch] of members.entries())
        answers[sequences.length + branch] = logitsOf(folded[group]!, index + 1, tokens);
    }
    return answers;
  } finally {
    for (const tensor of owned) tensor.dispose();
  }
}

/** @param place of the sequence's, 0, or of a branch among those that were folded with it */
function logitsOf(
  { argmax, targetLogProbabilities, change }: FoldedLogits,
  place: number,
  tokens: number,
): BranchedLogits {
  const [first, end] = [place * tokens, (place + 1) * tokens];
  const changed = [first - tokens, first] as const;
  return {
    argmax: argmax.slice(first, end),
    loss: targetLogProbabilities!.slice(first, end - 1).map((value) => 0 - value),
    change:
      place > 0 && change
        ? { divergence: change.divergence.slice(...changed), largest: change.largest.slice(...changed) }
        : null,
  };
}
