import type { ModelDescription } from './description.ts';
import { NumericalError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { LensOptions } from './lens.ts';
import { MaxLogSoftmax } from './log-softmax.ts';
import type { FoldedLogits, KeptLogits, LogitsTile } from './log-softmax.ts';
import { HEAD_SLICE_BYTES, LOGITS_TILE_BYTES } from './memory.ts';
import type { WeightStore } from './weight-store.ts';

/** What a run asks of the vocabulary. */
export interface VocabularyOptions {
  readonly signal?: AbortSignal;
  readonly lens?: LensOptions | undefined;
  /** I32 [B·T]: the token after each position, −1 for none; undefined if no loss is asked for. */
  readonly targets: Tensor | undefined;
  readonly onLogits?: (tile: LogitsTile) => void | Promise<void>;
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** The head of a model: turns states that went through the final norm into the numbers that are kept of their logits. */
export class Vocabulary {
  /** Why there are no logits. */
  #fault: NumericalError | undefined;

  constructor(
    private readonly gpu: Gpu,
    private readonly store: WeightStore,
    private readonly description: ModelDescription,
    private readonly options: VocabularyOptions,
  ) {}

  /** Bytes that a pass over the vocabulary takes: a slice of the head where it streams, a tile of logits. */
  get bytes(): number {
    const { isResident } = this.store;
    return (isResident ? 0 : Math.min(HEAD_SLICE_BYTES, this.description.sizes.head)) + LOGITS_TILE_BYTES;
  }

  /** Whether states may be folded one by one without reading the head again for each. */
  get isResident(): boolean {
    return this.store.isResident;
  }

  /**
   * Folds states in one pass over the vocabulary.
   * @param states F32 [B·T, width] each; only the last one's logits are given to `onLogits`
   * @param isLast whether the last of them is the model's own output
   * @returns what each came to; undefined if the model has no head that can be used
   */
  fold(states: readonly Tensor[], isLast = true): Promise<FoldedLogits[] | undefined> {
    const { targets, lens } = this.options;
    const kept = { top: lens?.top ?? 0, targets };
    return this.foldEach(
      states.map((state) => ({ state, kept })),
      isLast,
    );
  }

  /** The same, where each state says what to keep of it. */
  async foldEach(
    states: readonly { readonly state: Tensor; readonly kept: KeptLogits }[],
    isLast = true,
  ): Promise<FoldedLogits[] | undefined> {
    const { signal, onLogits, onNotice } = this.options;
    if (!this.description.hasHead || this.#fault) return undefined;
    const folds: MaxLogSoftmax[] = [];
    try {
      for (const { state, kept } of states) folds.push(new MaxLogSoftmax(this.gpu, state, kept));
      await this.store.forEachHeadSlice(
        async (slice, firstToken) => {
          for (const [index, fold] of folds.entries()) {
            const isOutput = isLast && index === folds.length - 1;
            await fold.fold(slice, firstToken, isOutput ? onLogits : undefined, signal);
          }
        },
        { signal },
      );
      const results: FoldedLogits[] = [];
      for (const fold of folds) results.push(await fold.read(signal));
      return results;
    } catch (error) {
      // No state depends on the head, or on a row of a tied one that no token of this run reads.
      if (onLogits || !(error instanceof NumericalError)) throw error;
      this.#fault = error;
      onNotice?.(noLogitsNotice(error));
      return undefined;
    } finally {
      for (const fold of folds) fold[Symbol.dispose]();
    }
  }
}

/** Why there are no logits, where the numbers that they alone need cannot be computed with. */
export function noLogitsNotice(fault: NumericalError): string {
  return `${fault.message}; only the logits need it: the states are correct, but there are no logits`;
}

/** The token after each position, where a loss is asked for; the caller owns the tensor. */
export function lossTargets(
  gpu: Gpu,
  sequences: readonly Int32Array[],
  { loss = false, lens }: { readonly loss?: boolean | undefined; readonly lens?: LensOptions | undefined },
): Tensor | undefined {
  if (!loss && !lens) return undefined;
  const targets = Int32Array.from(sequences.flatMap((ids) => [...ids.subarray(1), -1]));
  return gpu.upload('next tokens', [targets.length], targets);
}
