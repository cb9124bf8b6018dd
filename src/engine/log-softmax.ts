import { NumericalError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import { Pace } from './gpu/pace.ts';
import type { Recorder } from './gpu/recorder.ts';
import type { Tensor } from './gpu/tensor.ts';
import { foldLogSoftmax, weightFormat } from './kernels.ts';
import { bindableRows, recordLogits, rowsOf } from './matrix-product.ts';
import { LOGITS_TILE_BYTES } from './memory.ts';

/** A tile of fewer tokens is not worth its dispatches. */
const FEWEST_TOKENS = 1024;

/** Some tokens' logits, read back. */
export interface LogitsTile {
  readonly firstToken: number;
  readonly tokens: number;
  /** F32 [B·T, tokens]. */
  readonly values: Float32Array;
}

/**
 * For each position the largest log-softmax over the vocabulary and the token that reaches it. The vocabulary passes by
 * in tiles: all logits never exist at once.
 */
export class MaxLogSoftmax implements Disposable {
  readonly #maximum: Tensor;
  readonly #sum: Tensor;
  readonly #argmax: Tensor;

  /** @param input the final layer norm's output, F32 [B·T, width] */
  constructor(
    private readonly gpu: Gpu,
    private readonly input: Tensor,
  ) {
    const rows = input.shape[0]!;
    const owned: Tensor[] = [];
    const take = (label: string, dtype: 'F32' | 'I32'): Tensor => {
      owned.push(gpu.tensor(label, [rows], dtype));
      return owned.at(-1)!;
    };
    try {
      this.#maximum = take('running maximum', 'F32');
      this.#sum = take('running sum', 'F32');
      this.#argmax = take('argmax', 'I32');
    } catch (error) {
      for (const tensor of owned) tensor.dispose();
      throw error;
    }
  }

  /**
   * Folds rows `firstToken` … of lm_head in; call it in the order of the tokens.
   * @param head [tokens, width], packed
   * @param onLogits receives each tile's logits when given
   */
  async fold(
    head: Tensor,
    firstToken: number,
    onLogits?: (tile: LogitsTile) => void | Promise<void>,
  ): Promise<void> {
    const rows = this.input.shape[0]!;
    const width = this.input.shape[1]!;
    const free = this.gpu.memoryLimit - this.gpu.allocatedBytes;
    const tileBytes = Math.min(LOGITS_TILE_BYTES, this.gpu.bindingLimit, free);
    const pace = new Pace(this.gpu, 'log-softmax');
    for (const part of head.parts) {
      for (let start = 0, tokens: number; start < part.rows; start += tokens) {
        const short = Math.max(FEWEST_TOKENS, pace.budget / (2 * rows * width));
        tokens = Math.max(1, Math.floor(Math.min(tileBytes / (4 * rows), short, part.rows - start)));
        const first = firstToken + part.firstRow + start;
        using logits = this.gpu.tensor('logits', [rows, tokens]);
        recordLogits(
          this.gpu,
          pace,
          this.input,
          { buffer: part.buffer, format: weightFormat(head.dtype) },
          start,
          logits,
        );
        this.#recordFold(pace.recorder, logits, first);
        pace.count(0);
        pace.submit();
        if (onLogits) {
          await onLogits({ firstToken: first, tokens, values: await this.gpu.readFloats(logits) });
        } else await pace.settle();
      }
    }
    await pace.settle();
  }

  /**
   * max − logsumexp = −ln Σ exp(logit − max), and the token of the maximum; both [B·T].
   * @throws NumericalError naming the first row that has a logit beyond float32's range
   */
  async read(): Promise<{ maxLogSoftmax: Float32Array; argmax: Int32Array }> {
    const maxima = await this.gpu.readFloats(this.#maximum);
    const sums = await this.gpu.readFloats(this.#sum);
    const argmax = new Int32Array(await this.gpu.readBytes(this.#argmax.buffer));
    const bad = sums.findIndex((sum, row) => !Number.isFinite(sum) || !Number.isFinite(maxima[row]));
    if (bad >= 0) {
      throw new NumericalError(
        `a logit of token ${bad} of the batch leaves float32's range; check the weights of lm_head`,
      );
    }
    // −ln 1 is −0; a probability of 1 has logarithm 0.
    return { maxLogSoftmax: sums.map((sum) => 0 - Math.log(sum)), argmax };
  }

  [Symbol.dispose](): void {
    this.#maximum.dispose();
    this.#sum.dispose();
    this.#argmax.dispose();
  }

  #recordFold(recorder: Recorder, logits: Tensor, firstToken: number): void {
    const [maximum, sum, argmax] = [this.#maximum, this.#sum, this.#argmax];
    for (const [first, rows] of bindableRows(this.gpu, logits, maximum, sum, argmax)) {
      recorder.dispatch(foldLogSoftmax, {
        bindings: {
          logits: rowsOf(logits, first, rows),
          maximum: rowsOf(maximum, first, rows),
          sum: rowsOf(sum, first, rows),
          argmax: rowsOf(argmax, first, rows),
        },
        uniforms: { rows, columns: logits.shape[1]!, firstToken },
        constants: { threads: this.gpu.tuning.foldThreads },
        workgroups: [rows],
      });
    }
  }
}
