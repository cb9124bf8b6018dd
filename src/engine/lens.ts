import type { ModelConfig } from './config.ts';
import { InputError } from './errors.ts';
import type { ForwardPass } from './forward-pass.ts';
import { Tensor } from './gpu/tensor.ts';
import type { Batch } from './hooks.ts';
import { MAX_TOP_TOKENS } from './kernels.ts';
import type { FoldedLogits } from './log-softmax.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface LensOptions {
  /** How many of the most probable tokens to keep, from 1 to 256. */
  readonly top: number;
}

/**
 * The logit lens (nostalgebraist 2020): the final norm and the head, applied to each state as if it were the last. State 0
 * is `blocks.0.hook_resid_pre`, state i + 1 `blocks.i.hook_resid_post`; the last is the model's own output. A batch of
 * several sequences has a leading axis of sequences.
 */
export interface LensResult {
  readonly top: number;
  /** I32 [L + 1, T, top], best first. */
  readonly ids: { readonly shape: readonly number[]; readonly values: Int32Array };
  /** F32 [L + 1, T, top], natural logarithms. */
  readonly logProbabilities: { readonly shape: readonly number[]; readonly values: Float32Array };
  /** F32 [L + 1, T − 1]: minus the log-probability of the next token. */
  readonly loss: { readonly shape: readonly number[]; readonly values: Float32Array };
}

/** @throws InputError if the number of tokens does not suit the vocabulary */
export function checkLens(lens: LensOptions | undefined, { vocabulary }: ModelConfig): void {
  if (!lens) return;
  const max = Math.min(MAX_TOP_TOKENS, vocabulary);
  if (Number.isInteger(lens.top) && lens.top >= 1 && lens.top <= max) return;
  throw new InputError(`lens.top is ${lens.top}; it must be a whole number from 1 to ${max}`, {
    code: 'option-out-of-range',
    subject: { kind: 'option', name: 'lens' },
  });
}

/**
 * Collects states and folds them into the vocabulary. If the head stays on the GPU, this happens at once. Otherwise as many
 * states wait as memory has room for, because each pass over the vocabulary reads the head again.
 */
export class Lens implements Disposable {
  readonly #held: Tensor[] = [];
  readonly #logits: FoldedLogits[] = [];
  #isBlind = false;

  constructor(
    private readonly pass: ForwardPass,
    private readonly vocabulary: Vocabulary,
    private readonly batch: Batch,
    private readonly top: number,
  ) {}

  /** Bytes that it will take next. */
  get reserve(): number {
    return this.#stateBytes + this.vocabulary.bytes;
  }

  /** Takes a state that went through the final norm, F32 [B·T, width]; it may change afterwards. */
  async add(normed: Tensor): Promise<void> {
    if (this.#isBlind) return;
    if (this.vocabulary.isResident) {
      this.pass.submit();
      this.#keep(await this.vocabulary.fold([normed], false));
      return;
    }
    const { gpu } = this.pass;
    const isFull = gpu.allocatedBytes + this.reserve > gpu.memoryLimit;
    if (isFull && this.#held.length > 0) await this.#flush();
    const buffer = gpu.allocate('state for the lens', this.#stateBytes);
    const [rows] = normed.shape as [number];
    const parts = [{ buffer, firstRow: 0, rows }];
    this.#held.push(new Tensor(gpu, 'state for the lens', normed.shape, 'F32', parts));
    this.pass.recorder.copy(normed.buffer, 0, buffer, 0, this.#stateBytes);
    this.pass.submit();
  }

  /** Folds what is left together with the last state. @returns what the last one's logits came to */
  async finish(final: Tensor): Promise<FoldedLogits[] | undefined> {
    const logits = await this.vocabulary.fold([...this.#held, final]);
    this.#keep(logits);
    return logits;
  }

  /** null if there are no logits. */
  get result(): LensResult | null {
    if (this.#isBlind) return null;
    const { top, batch } = this;
    const layers = this.#logits.length;
    const { sequences, tokens } = batch;
    const leading = sequences > 1 ? [sequences, layers] : [layers];
    const ids = new Int32Array(sequences * layers * tokens * top);
    const logProbabilities = new Float32Array(ids.length);
    const loss = new Float32Array(sequences * layers * (tokens - 1));
    for (let sequence = 0; sequence < sequences; sequence++) {
      for (const [layer, logits] of this.#logits.entries()) {
        const [first, end] = [sequence * tokens, (sequence + 1) * tokens];
        const place = sequence * layers + layer;
        ids.set(logits.topIds.subarray(top * first, top * end), place * tokens * top);
        logProbabilities.set(
          logits.topLogProbabilities.subarray(top * first, top * end),
          place * tokens * top,
        );
        const next = logits.targetLogProbabilities!.subarray(first, end - 1);
        loss.set(
          next.map((value) => 0 - value),
          place * (tokens - 1),
        );
      }
    }
    return {
      top,
      ids: { shape: [...leading, tokens, top], values: ids },
      logProbabilities: { shape: [...leading, tokens, top], values: logProbabilities },
      loss: { shape: [...leading, tokens - 1], values: loss },
    };
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#held) tensor.dispose();
  }

  get #stateBytes(): number {
    return 4 * this.batch.sequences * this.batch.tokens * this.pass.width;
  }

  async #flush(): Promise<void> {
    this.#keep(await this.vocabulary.fold(this.#held, false));
  }

  #keep(logits: readonly FoldedLogits[] | undefined): void {
    for (const tensor of this.#held.splice(0)) tensor.dispose();
    if (logits) this.#logits.push(...logits);
    else this.#isBlind = true;
  }
}
