import { unlessAborted } from './abort.ts';
import { NumericalError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import { Pace } from './gpu/pace.ts';
import type { Recorder } from './gpu/recorder.ts';
import { bindableRows, MAX_WORKGROUPS, rowsOf } from './gpu/row-ranges.ts';
import type { Tensor } from './gpu/tensor.ts';
import {
  compareLogits,
  foldLogSoftmax,
  foldLogSoftmaxTiles,
  pickLogits,
  topTokens,
  weightFormat,
} from './kernels.ts';
import { changeOf, COMPARED, joinSums, RUNNING } from './logit-sums.ts';
import type { LogitsChange } from './logit-sums.ts';
import { canFoldLogits, recordFoldedLogits, recordLogits } from './matrix-product.ts';
import { foldedTileColumns } from './product-variants.ts';
import { LOGITS_TILE_BYTES } from './memory.ts';

/** The minimum number of tokens of a tile: fewer are not worth a dispatch. */
const FEWEST_TOKENS = 1024;
/** Threads of a workgroup of fold-log-softmax-tiles.wgsl, each with a row. */
const ROWS_AT_ONCE = 64;

/** Some tokens' logits, read back. */
export interface LogitsTile {
  readonly firstToken: number;
  readonly tokens: number;
  /** F32 [B·T, tokens]. */
  readonly values: Float32Array;
}

/** What is kept of the logits besides their maxima. */
export interface KeptLogits {
  /** How many of the largest are kept per position; 0 for none. */
  readonly top?: number;
  /** I32 [B·T]: for each position a token whose logit is kept; −1 for none. */
  readonly targets?: Tensor | undefined;
  /** The number of first rows with which the others are compared, one by one and then from the first again; 0 for none. */
  readonly originals?: number | undefined;
}

/** What is kept of the logits of [B·T] positions. */
export interface FoldedLogits {
  /** max(logits) − logsumexp(logits). */
  readonly maxLogSoftmax: Float32Array;
  readonly argmax: Int32Array;
  /** [B·T, top], best first. */
  readonly topIds: Int32Array;
  readonly topLogProbabilities: Float32Array;
  /** Log-probabilities of the targets, if some were given; without meaning for positions that have none. */
  readonly targetLogProbabilities: Float32Array | undefined;
  /** The change of the rows after the originals, if there are some. */
  readonly change: LogitsChange | undefined;
}

/**
 * For each position the largest log-softmax over the vocabulary and the token that reaches it. If asked for, also more of
 * the largest, and that of one given token. The vocabulary is read in tiles, so all logits never exist at once.
 */
export class MaxLogSoftmax implements Disposable {
  readonly #maximum: Tensor;
  readonly #sum: Tensor;
  readonly #argmax: Tensor;
  readonly #top: { readonly values: Tensor; readonly tokens: Tensor } | undefined;
  readonly #picked: Tensor | undefined;
  readonly #compared: Tensor | undefined;
  readonly #owned: readonly Tensor[];

  /** @param input the final layer norm's output, F32 [B·T, width] */
  constructor(
    private readonly gpu: Gpu,
    private readonly input: Tensor,
    private readonly kept: KeptLogits = {},
  ) {
    const rows = input.shape[0]!;
    const owned: Tensor[] = [];
    const take = (label: string, dtype: 'F32' | 'I32', ...columns: number[]): Tensor => {
      owned.push(gpu.tensor(label, [rows, ...columns], dtype));
      return owned.at(-1)!;
    };
    const { top = 0, targets, originals = 0 } = kept;
    try {
      this.#maximum = take('running maximum', 'F32', RUNNING);
      this.#sum = take('running sum', 'F32', RUNNING);
      this.#argmax = take('argmax', 'I32');
      this.#top =
        top > 0
          ? { values: take('top logits', 'F32', top), tokens: take('top tokens', 'I32', top) }
          : undefined;
      this.#picked = targets && take('logits of targets', 'F32');
      this.#compared = originals > 0 ? take('compared logits', 'F32', COMPARED) : undefined;
      this.#owned = owned;
    } catch (error) {
      for (const tensor of owned) tensor.dispose();
      throw error;
    }
  }

  /**
   * Folds rows `firstToken` … of lm_head in; call it in the order of the tokens.
   * @param head [tokens, width], packed
   * @param onLogits receives each tile's logits when given
   * @param signal ends every wait between two tiles
   */
  async fold(
    head: Tensor,
    firstToken: number,
    onLogits?: (tile: LogitsTile) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const rows = this.input.shape[0]!;
    const width = this.input.shape[1]!;
    const free = this.gpu.memoryLimit - this.gpu.allocatedBytes;
    const tileBytes = Math.min(LOGITS_TILE_BYTES, this.gpu.bindingLimit, free);
    const pace = new Pace(this.gpu, 'log-softmax', signal);
    // A reader of single logits needs them written.
    const isSeen = onLogits ?? this.#top ?? this.#picked ?? this.#compared;
    const canFold = this.gpu.tuning.head === 'folded' && !isSeen;
    const tileColumns = foldedTileColumns(this.gpu.tuning);
    for (const part of head.parts) {
      const isFolded = canFold && canFoldLogits(this.input, part);
      const tokenBytes = (isFolded ? 12 / tileColumns : 4) * rows;
      for (let start = 0, tokens: number; start < part.rows; start += tokens) {
        const short = Math.max(FEWEST_TOKENS, pace.budget / (2 * rows * width));
        const most = Math.max(1, Math.floor(Math.min(tileBytes / tokenBytes, short)));
        // Tiles of the folded product are joined as they are: they must be the same ones whatever fits.
        const whole = isFolded ? Math.max(1, Math.floor(most / tileColumns)) * tileColumns : most;
        tokens = Math.min(whole, part.rows - start);
        const first = firstToken + part.firstRow + start;
        const weight = { buffer: part.buffer, format: weightFormat(head.dtype) };
        if (isFolded) {
          using parts = this.gpu.tensor('folded logits', [rows, 3 * Math.ceil(tokens / tileColumns)]);
          recordFoldedLogits(this.gpu, pace, this.input, weight, start, tokens, parts);
          this.#recordFold(pace.recorder, parts, first, true);
          pace.count(0);
          pace.submit();
          await pace.settle();
          continue;
        }
        using logits = this.gpu.tensor('logits', [rows, tokens]);
        recordLogits(this.gpu, pace, this.input, weight, start, logits);
        this.#recordFold(pace.recorder, logits, first, false);
        this.#recordKept(pace.recorder, logits, first);
        pace.count(0);
        pace.submit();
        if (onLogits) {
          signal?.throwIfAborted();
          await onLogits({ firstToken: first, tokens, values: await this.gpu.readFloats(logits) });
        } else await pace.settle();
      }
    }
    await pace.settle();
  }

  /**
   * max − logsumexp = −ln Σ exp(logit − max), the token of the maximum, and what else was kept; a token's log-probability
   * is logit − max − ln Σ exp(logit − max).
   * @param signal ends the wait for the GPU
   * @throws NumericalError naming the first row that has a logit beyond float32's range, or the signal's reason
   */
  async read(signal?: AbortSignal): Promise<FoldedLogits> {
    const reading = this.gpu.readAll(this.#owned.map(({ buffer }) => ({ buffer })));
    const read = await unlessAborted(reading, signal);
    const bytesOf = (tensor: Tensor): ArrayBuffer => read[this.#owned.indexOf(tensor)]!;
    const floatsOf = (tensor: Tensor): Float32Array => new Float32Array(bytesOf(tensor), 0, tensor.size);
    const { maxima, sums } = joinSums(floatsOf(this.#maximum), floatsOf(this.#sum));
    const argmax = new Int32Array(bytesOf(this.#argmax));
    const bad = sums.findIndex((sum, row) => !Number.isFinite(sum) || !Number.isFinite(maxima[row]));
    if (bad >= 0) {
      throw new NumericalError(
        `a logit of token ${bad} of the batch leaves float32's range; check the weights of lm_head`,
        { code: 'logit-not-finite', subject: { kind: 'tensor', name: 'lm_head' } },
      );
    }
    // −ln 1 is −0; a probability of 1 has logarithm 0.
    const maxLogSoftmax = Float32Array.from(sums, (sum) => 0 - Math.log(sum));
    const { top = 0, originals = 0 } = this.kept;
    const logProbabilities = (logits: Float32Array, columns: number): Float32Array =>
      logits.map((logit, index) => {
        const row = Math.floor(index / columns);
        return logit - maxima[row]! - Math.log(sums[row]!);
      });
    const values = this.#top ? floatsOf(this.#top.values) : new Float32Array();
    const tokens = this.#top ? bytesOf(this.#top.tokens) : new ArrayBuffer();
    const picked = this.#picked && floatsOf(this.#picked);
    return {
      maxLogSoftmax,
      argmax,
      topIds: new Int32Array(tokens),
      topLogProbabilities: logProbabilities(values, top),
      targetLogProbabilities: picked && logProbabilities(picked, 1),
      change: this.#compared && changeOf(floatsOf(this.#compared), sums.length - originals),
    };
  }

  [Symbol.dispose](): void {
    for (const tensor of this.#owned) tensor.dispose();
  }

  /** @param source logits F32 [rows, tokens], or what the folded product left of each tile of them, F32 [rows, 3 · tiles] */
  #recordFold(recorder: Recorder, source: Tensor, firstToken: number, isFolded: boolean): void {
    const [maximum, sum, argmax] = [this.#maximum, this.#sum, this.#argmax];
    const constants = { threads: this.gpu.tuning.foldThreads };
    for (const [first, rows] of bindableRows(this.gpu, source, maximum, sum, argmax)) {
      const running = {
        maximum: rowsOf(maximum, first, rows),
        sum: rowsOf(sum, first, rows),
        argmax: rowsOf(argmax, first, rows),
      };
      const [columns, range] = [source.shape[1]!, rowsOf(source, first, rows)];
      if (isFolded) {
        recorder.dispatch(foldLogSoftmaxTiles, {
          bindings: { parts: range, ...running },
          uniforms: { rows, tiles: columns / 3, firstToken, tileColumns: foldedTileColumns(this.gpu.tuning) },
          workgroups: [Math.ceil(rows / ROWS_AT_ONCE)],
        });
      } else {
        recorder.dispatch(foldLogSoftmax, {
          bindings: { logits: range, ...running },
          uniforms: { rows, columns, firstToken },
          constants,
          workgroups: [rows],
        });
      }
    }
  }

  #recordKept(recorder: Recorder, logits: Tensor, firstToken: number): void {
    const columns = logits.shape[1]!;
    const { top = 0, targets } = this.kept;
    if (this.#top) {
      const { values, tokens } = this.#top;
      for (const [first, rows] of bindableRows(this.gpu, logits, values, tokens)) {
        recorder.dispatch(topTokens, {
          bindings: {
            logits: rowsOf(logits, first, rows),
            values: rowsOf(values, first, rows),
            tokens: rowsOf(tokens, first, rows),
          },
          uniforms: { rows, columns, firstToken, top },
          constants: { threads: this.gpu.tuning.foldThreads },
          workgroups: [rows],
        });
      }
    }
    this.#recordComparison(recorder, logits, firstToken);
    if (!this.#picked || !targets) return;
    for (const [first, rows] of bindableRows(this.gpu, logits, targets, this.#picked)) {
      recorder.dispatch(pickLogits, {
        bindings: {
          logits: rowsOf(logits, first, rows),
          targets: rowsOf(targets, first, rows),
          picked: rowsOf(this.#picked, first, rows),
        },
        uniforms: { rows, columns, firstToken },
        workgroups: [Math.ceil(rows / 64)],
      });
    }
  }
  /** A tile of logits is one binding. */
  #recordComparison(recorder: Recorder, logits: Tensor, firstToken: number): void {
    const [rows = 0, columns = 0] = logits.shape;
    const { originals = 0 } = this.kept;
    if (!this.#compared) return;
    for (let firstRow = 0; firstRow < rows - originals; firstRow += MAX_WORKGROUPS) {
      recorder.dispatch(compareLogits, {
        bindings: { logits: logits.buffer, sums: this.#compared.buffer },
        uniforms: { originals, columns, firstToken, firstRow },
        workgroups: [Math.min(MAX_WORKGROUPS, rows - originals - firstRow)],
      });
    }
  }
}
