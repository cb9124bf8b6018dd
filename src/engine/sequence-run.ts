import { elementCount } from './gpu/tensor.ts';
import type { CapturedActivation, HookRequests } from './hooks.ts';
import type { LensOptions, LensResult } from './lens.ts';
import type { RunResult } from './model.ts';

/** A text, or token ids. */
export type TextOrIds = string | ArrayLike<number>;

/** An activation of one sequence of a run. */
export interface SequenceActivation extends CapturedActivation {
  /** Which of the sequences that were given. */
  readonly sequence: number;
}

/** What to compute besides the largest log-probabilities; `capture` and `edits` are explained at `HookRequests`. */
export interface SequenceRunOptions extends HookRequests {
  readonly signal?: AbortSignal | undefined;
  /** Steps done and steps in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /**
   * Receives each captured activation, in the order of the pass; the run waits for it. Without it they are all kept, and
   * are in the result.
   */
  readonly onActivation?: ((activation: SequenceActivation) => void | Promise<void>) | undefined;
  /** The most probable tokens that the model would name if each state were its last. */
  readonly lens?: LensOptions | undefined;
  /** Compute the loss at each position; a lens does. */
  readonly loss?: boolean | undefined;
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** What a run says of one sequence of T tokens. */
export interface SequenceRun {
  /** [T] */
  readonly ids: Int32Array<ArrayBuffer>;
  /** What was captured, by name, in the order of the pass; empty where `onActivation` received it. */
  readonly activations: Readonly<Record<string, CapturedActivation>>;
  /** null if it was not asked for or there are no logits; shapes have no axis of sequences. */
  readonly lens: LensResult | null;
  /** [T − 1] in nats: minus the log-probability of the next token. null if it was not asked for or there are no logits. */
  readonly loss: Float32Array | null;
  /** [T], max(logits) − logsumexp(logits); null if there are no logits. */
  readonly maxLogSoftmax: Float32Array | null;
  /** [T], the token that has the largest logit; null if there are no logits. */
  readonly argmax: Int32Array | null;
}

/** Whether these are several sequences, and not the ids of one. */
export function isSeveral(input: TextOrIds | readonly TextOrIds[]): input is readonly TextOrIds[] {
  return Array.isArray(input) && input.length > 0 && typeof input[0] !== 'number';
}

/** One sequence's numbers of a batch. */
export function resultOf(
  { lens, loss, maxLogSoftmax, argmax }: RunResult,
  slot: number,
  hasAxis: boolean,
): Omit<SequenceRun, 'ids' | 'activations'> {
  return {
    lens:
      lens && hasAxis
        ? {
            top: lens.top,
            ids: sliceOf(lens.ids, slot),
            logProbabilities: sliceOf(lens.logProbabilities, slot),
            loss: sliceOf(lens.loss, slot),
          }
        : lens,
    loss: loss?.[slot] ?? null,
    maxLogSoftmax: maxLogSoftmax?.[slot] ?? null,
    argmax: argmax?.[slot] ?? null,
  };
}

/** What stands at a place of the first axis, copied. */
export function sliceOf<T extends { shape: readonly number[]; values: Float32Array | Int32Array }>(
  array: T,
  place: number,
): T {
  const shape = array.shape.slice(1);
  const size = elementCount(shape);
  return { ...array, shape, values: array.values.slice(place * size, (place + 1) * size) };
}
