import { runBlock, runFinal } from './architectures/blocks.ts';
import type { ModelDescription } from './description.ts';
import { embedSequences } from './embed-sequences.ts';
import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { BufferRange } from './gpu/kernel.ts';
import { Tensor } from './gpu/tensor.ts';
import type { FoldedLogits } from './log-softmax.ts';
import { checkSequences } from './sequences.ts';
import { StateWatch } from './state-watch.ts';
import { lossTargets, Vocabulary } from './vocabulary.ts';
import type { WeightStore } from './weight-store.ts';

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
  /** How many branches have begun, those that begin here among them. */
  readonly begun: number;
  /** F32 [T, width] of a sequence or a branch, as a range to bind. */
  rows(slot: number): { readonly binding: BufferRange; readonly firstElement: number };
  /** Copies one's rows to a buffer. */
  read(slot: number, target: GPUBuffer): void;
  /** Replaces one's rows by those of a buffer. */
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

/** Rows of one tile of logits: a branch and its sequence must lie in the same tile to be compared. */
const ROWS_TOGETHER = 16_384;

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
    await (store.isResident ? batch.pass.settle() : gpu.finish());
    signal?.throwIfAborted();
    onProgress?.(++done, steps);
  };
  using states = new StateWatch(gpu, config.layers + 2);
  using batch = new GrowingBatch(gpu, sequences, config.width);
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
    const logits = await foldLogits(gpu, store, description, batch, sequences, branches, options);
    await step();
    return logits;
  } finally {
    await store.reset();
  }
}

/** A batch to which copies of its sequences are added on the way. */
class GrowingBatch implements Disposable {
  pass: ForwardPass;
  /** Where the states lie, F32 [slots · T, width]: the residual stream, or what followed it. */
  state: Tensor;
  readonly #tokens: number;

  constructor(
    private readonly gpu: Gpu,
    private readonly sequences: readonly Int32Array[],
    private readonly width: number,
  ) {
    this.#tokens = sequences[0]!.length;
    this.pass = new ForwardPass(gpu, sequences.length, this.#tokens, width);
    this.state = this.pass.residual;
  }

  get #stateBytes(): number {
    return 4 * this.#tokens * this.width;
  }

  begin(states: readonly Float32Array[]): void {
    for (const [slot, values] of states.entries()) {
      this.gpu.write(this.state.buffer, slot * this.#stateBytes, values);
    }
  }

  /** Adds a copy of each of these sequences; what the steps had written but the states is freed. */
  grow(copied: readonly number[]): void {
    if (copied.length === 0) return;
    const slots = this.pass.sequences + copied.length;
    this.pass.submit();
    const grown = new ForwardPass(this.gpu, slots, this.#tokens, this.width);
    const bytes = this.#stateBytes;
    const held = this.pass.sequences * bytes;
    grown.recorder.copy(this.state.buffer, 0, grown.residual.buffer, 0, held);
    for (const [index, sequence] of copied.entries()) {
      grown.recorder.copy(
        this.state.buffer,
        sequence * bytes,
        grown.residual.buffer,
        held + index * bytes,
        bytes,
      );
    }
    grown.submit();
    this.pass.dispose();
    this.pass = grown;
    this.state = grown.residual;
  }

  at(point: StatePoint, begun: number): BranchedState {
    const { pass, state } = this;
    const bytes = this.#stateBytes;
    const copy = (record: (slot: number, buffer: GPUBuffer) => Parameters<typeof pass.recorder.copy>) => {
      return (slot: number, buffer: GPUBuffer) => {
        pass.recorder.copy(...record(slot, buffer));
        pass.submit();
      };
    };
    return {
      point,
      sequences: this.sequences.length,
      begun,
      rows: (slot) => pass.sequenceRows(state, slot, 1),
      read: copy((slot, buffer) => [state.buffer, slot * bytes, buffer, 0, bytes]),
      write: copy((slot, buffer) => [buffer, 0, state.buffer, slot * bytes, bytes]),
    };
  }

  /** Copies of some states, one after another, as a tensor that the caller owns. */
  gather(slots: readonly number[]): Tensor {
    const rows = slots.length * this.#tokens;
    const buffer = this.gpu.allocate('final states', 4 * rows * this.width);
    for (const [index, slot] of slots.entries()) {
      const bytes = this.#stateBytes;
      this.pass.recorder.copy(this.state.buffer, slot * bytes, buffer, index * bytes, bytes);
    }
    this.pass.submit();
    const shape = [rows, this.width];
    return new Tensor(this.gpu, 'final states', shape, 'F32', [{ buffer, firstRow: 0, rows }]);
  }

  [Symbol.dispose](): void {
    this.pass.dispose();
  }
}

/** Folds each sequence with some of its branches at a time, all in one pass over the vocabulary. */
async function foldLogits(
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
