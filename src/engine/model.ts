import type { ModelConfig } from './config.ts';
import type { ModelDescription } from './description.ts';
import { gatherRows, recordEmbedding } from './embedding.ts';
import { InputError, NumericalError } from './errors.ts';
import { recordFindNonfinite } from './find-nonfinite.ts';
import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { LogitsTile } from './log-softmax.ts';
import { MaxLogSoftmax } from './log-softmax.ts';
import { bindableRows, rowsOf } from './matrix-product.ts';
import { forwardKernels } from './prepare.ts';
import { checkSequences } from './sequences.ts';
import { WeightStore } from './weight-store.ts';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of weights read so far, and in all. Weights that stream are read during `run` instead. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The most tokens in one batch, all sequences together. Default: two sequences as long as the context. */
  readonly mostTokens?: number;
  /** Bytes of GPU memory that whoever looks at the states will take; weights leave them free. Default 0. */
  readonly reserve?: number;
}

/**
 * A state of the residual stream, F32 [B·T, width], the sequences one after another. The run owns the tensor: it is
 * valid until the callback that received it settles.
 */
export interface HiddenState {
  /** `hidden_states` are those of transformers; `residual_final` is the last block's raw output. */
  readonly name: 'hidden_states' | 'residual_final';
  /** 0 … L of the hidden states; L for the residual. */
  readonly layer: number;
  readonly tensor: Tensor;
}

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Steps done, of L + 2: the embedding, each block, the vocabulary. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called in order: hidden states 0 … L, then residual_final. The run waits for it. */
  readonly onState?: (state: HiddenState) => void | Promise<void>;
  /** Called with the logits, a tile of the vocabulary at a time; a run that cannot give them fails then. */
  readonly onLogits?: (tile: LogitsTile) => void | Promise<void>;
  /** Told why there are no logits, where the model's head cannot be used. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** Per sequence, one number a position. */
export interface RunResult {
  /** max(logits) − logsumexp(logits), natural logarithm; null where there are no logits. */
  readonly maxLogSoftmax: Float32Array[] | null;
  /** The token that has the largest logit; null where there are no logits. */
  readonly argmax: Int32Array[] | null;
}

/** A model, ready to run batches of token ids on a GPU. */
export class Model implements Disposable {
  private constructor(
    readonly gpu: Gpu,
    readonly description: ModelDescription,
    private readonly store: WeightStore,
  ) {}

  /**
   * Brings a model's weights to the GPU if they fit `gpu.memoryLimit`; else they stream through it during each run. The
   * description must stay open as long as the model.
   *
   * @throws NumericalError for NaN weights, FileError, DeviceError, the signal's reason if it aborts.
   */
  static async load(gpu: Gpu, description: ModelDescription, options: LoadOptions = {}): Promise<Model> {
    const { mostTokens = 2 * description.config.context, reserve = 0 } = options;
    const activations = description.activationBytes(1, mostTokens);
    const store = new WeightStore(gpu, description, activations + reserve, reserve);
    let done = 0;
    const total = store.residentFileBytes;
    const onBytes = (bytes: number) => options.onProgress?.((done += bytes), total);
    // Both take a while, and neither needs the other.
    const kernels = gpu.kernels.prepare(forwardKernels(gpu, description));
    kernels.catch(() => undefined);
    try {
      await store.load({ signal: options.signal, onBytes });
      await kernels;
    } catch (error) {
      store.dispose();
      throw error;
    }
    return new Model(gpu, description, store);
  }

  get config(): ModelConfig {
    return this.description.config;
  }

  /** Whether the weights stay on the GPU between runs. */
  get isResident(): boolean {
    return this.store.isResident;
  }

  /**
   * Why runs give no logits, or undefined where they do. Where weights stream, finding out reads a tied head.
   */
  async logitsFault(signal?: AbortSignal): Promise<string | undefined> {
    const { head, isTied } = this.description.weights;
    if (!head) return `${this.description.name}: has no head, so there are no logits`;
    if (!isTied) return undefined;
    const fault = await this.store.headFault({ signal });
    return fault && noLogitsNotice(fault);
  }

  /**
   * Runs a batch of sequences of equal length in one pass.
   *
   * @param sequences token ids, each of the same length from 1 to the context
   * @throws InputError for ids out of the vocabulary or lengths that do not suit, NumericalError if a state or a
   * logit is not finite, DeviceError, and the signal's reason if it aborts.
   */
  async run(sequences: readonly Int32Array[], options: RunOptions = {}): Promise<RunResult> {
    checkSequences(this.config, sequences);
    if (options.onLogits && !this.description.hasHead) {
      throw new InputError(`${this.description.name}: has no head, so there are no logits to give`);
    }
    const { gpu, store, config } = this;
    const { architecture } = this.description;
    const { signal } = options;
    const tokens = sequences[0]!.length;
    const steps = config.layers + 2;
    let done = 0;
    const step = async (pass: ForwardPass): Promise<void> => {
      // The weights of a block that passes through must have done their work before the next ones come.
      await (store.isResident ? pass.settle() : gpu.finish());
      signal?.throwIfAborted();
      options.onProgress?.(++done, steps);
    };

    signal?.throwIfAborted();
    try {
      using pass = new ForwardPass(gpu, sequences.length, tokens, config.width);
      using states = new StateWatch(gpu, config.layers + 2);
      const emit = async (name: HiddenState['name'], layer: number, tensor: Tensor): Promise<void> => {
        states.watch(pass, tensor);
        pass.submit();
        await options.onState?.({ name, layer, tensor });
      };

      await this.#embed(pass, sequences);
      await emit('hidden_states', 0, pass.residual);
      await step(pass);

      for (let layer = 0; layer < config.layers; layer++) {
        const weights = await store.block(layer, { signal });
        architecture.block<Tensor>(pass, weights, layer);
        store.loadAhead(layer + 1, { signal });
        if (layer < config.layers - 1) await emit('hidden_states', layer + 1, pass.residual);
        else pass.submit();
        await step(pass);
        await store.release(layer);
      }

      const final = architecture.final<Tensor>(pass, store.final);
      await emit('hidden_states', config.layers, final);
      await emit('residual_final', config.layers, pass.residual);
      await states.check();

      const result = await this.#logits(final, tokens, options);
      await step(pass);
      return result;
    } finally {
      await store.reset();
    }
  }

  /** Frees the weights. The GPU and the description are the caller's. */
  dispose(): void {
    this.store.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** residual ← Σ of the embeddings. */
  async #embed(pass: ForwardPass, sequences: readonly Int32Array[]): Promise<void> {
    const ids = Int32Array.from(sequences.flatMap((sequence) => [...sequence]));
    const positions = ids.map((_, index) => index % sequences[0]!.length);
    for (const [index, { table, by }] of this.description.weights.embeddings.entries()) {
      using rows = await gatherRows(this.gpu, table, by === 'token' ? ids : positions);
      recordEmbedding(this.gpu, pass.recorder, rows, pass.residual, index > 0);
      pass.submit();
    }
  }

  /** Folds the head into the result, slice by slice. */
  async #logits(final: Tensor, tokens: number, options: RunOptions): Promise<RunResult> {
    const { signal, onLogits, onNotice } = options;
    const { head, isTied } = this.description.weights;
    if (!head) return NO_LOGITS;
    using softmax = new MaxLogSoftmax(this.gpu, final);
    try {
      await this.store.forEachHeadSlice(
        async (slice, firstToken) => {
          signal?.throwIfAborted();
          await softmax.fold(slice, firstToken, onLogits);
        },
        { signal },
      );
    } catch (error) {
      // An embedding row that no token of this run reads harms no state.
      if (!isTied || onLogits || !(error instanceof NumericalError)) throw error;
      onNotice?.(noLogitsNotice(error));
      return NO_LOGITS;
    }
    const { maxLogSoftmax, argmax } = await softmax.read();
    const starts = Array.from({ length: final.shape[0]! / tokens }, (_, index) => index * tokens);
    return {
      maxLogSoftmax: starts.map((start) => maxLogSoftmax.slice(start, start + tokens)),
      argmax: starts.map((start) => argmax.slice(start, start + tokens)),
    };
  }
}

const NO_LOGITS: RunResult = { maxLogSoftmax: null, argmax: null };

function noLogitsNotice(fault: NumericalError): string {
  return `${fault.message}; no token of this text reads that row, so the states are right, but there are no logits`;
}

/** Watches the states for NaN and infinities, without waiting for the GPU until the end. */
class StateWatch implements Disposable {
  readonly #found: GPUBuffer;
  #states = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly most: number,
  ) {
    this.#found = gpu.allocate('nonfinite states', 4 * most);
  }

  watch(pass: ForwardPass, tensor: Tensor): void {
    const slot = this.#states++;
    for (const [first, rows] of bindableRows(this.gpu, tensor)) {
      const found = { buffer: this.#found, slot };
      recordFindNonfinite(pass.recorder, rowsOf(tensor, first, rows), rows * tensor.shape[1]!, 'F32', found);
    }
  }

  /** @throws NumericalError naming the first state that is not finite. */
  async check(): Promise<void> {
    const flags = new Uint32Array(await this.gpu.readBytes(this.#found, 0, 4 * this.most));
    const layer = flags.findIndex((flag) => flag !== 0);
    if (layer >= 0) {
      throw new NumericalError(
        `hidden state ${layer} holds a NaN or an infinity: the activations leave float32's range; check the weights`,
      );
    }
  }

  [Symbol.dispose](): void {
    this.gpu.free(this.#found);
  }
}
