import type { Architecture } from './architectures/architecture.ts';
import { architectureOf } from './architectures/choose.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { ModelConfig } from './config.ts';
import { gatherRows, recordEmbedding } from './embedding.ts';
import { InputError, NumericalError } from './errors.ts';
import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import { elementCount } from './gpu/tensor.ts';
import type { Tensor } from './gpu/tensor.ts';
import { findNonfinite } from './kernels.ts';
import type { LogitsTile } from './log-softmax.ts';
import { MaxLogSoftmax } from './log-softmax.ts';
import { bindableRows, rowsOf } from './matrix-product.ts';
import { activationBytes, weightSizes } from './memory.ts';
import type { WeightSizes } from './memory.ts';
import { WeightStore } from './weight-store.ts';
import { weightEntry } from './weights.ts';
import type { WeightSpec } from './weights.ts';

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
  /** Called with the logits, a tile of the vocabulary at a time. */
  readonly onLogits?: (tile: LogitsTile) => void | Promise<void>;
}

/** Per sequence, one number a position. */
export interface RunResult {
  /** max(logits) − logsumexp(logits), natural logarithm. */
  readonly maxLogSoftmax: Float32Array[];
  /** The token that has the largest logit. */
  readonly argmax: Int32Array[];
}

/** A model, ready to run batches of token ids on a GPU. */
export class Model implements Disposable {
  private constructor(
    readonly gpu: Gpu,
    private readonly checkpoint: Checkpoint,
    private readonly architecture: Architecture,
    private readonly store: WeightStore,
  ) {}

  /**
   * Checks that the checkpoint holds what its configuration needs, and brings the weights to the GPU if they fit
   * `gpu.memoryLimit`; else they stream through it during each run. The checkpoint must stay open as long as the model.
   *
   * @throws CheckpointError for a missing or misshapen tensor, NumericalError for NaN weights, FileError, DeviceError.
   */
  static async load(gpu: Gpu, checkpoint: Checkpoint, options: LoadOptions = {}): Promise<Model> {
    const { config } = checkpoint;
    const { mostTokens = 2 * config.context, reserve = 0 } = options;
    const architecture = architectureOf(checkpoint);
    const activations = activationBytes(config, 1, mostTokens);
    const sizes = weightSizes(checkpoint);
    const store = new WeightStore(gpu, checkpoint, architecture, sizes, activations + reserve, reserve);
    store.validate();
    let done = 0;
    const total = store.residentFileBytes;
    const onBytes = (bytes: number) => options.onProgress?.((done += bytes), total);
    try {
      await store.load({ signal: options.signal, onBytes });
    } catch (error) {
      store.dispose();
      throw error;
    }
    return new Model(gpu, checkpoint, architecture, store);
  }

  get config(): ModelConfig {
    return this.checkpoint.config;
  }

  /** Whether the weights stay on the GPU between runs. */
  get isResident(): boolean {
    return this.store.isResident;
  }

  /** What the weights take. */
  get sizes(): WeightSizes {
    return this.store.sizes;
  }

  /** Number of parameters: every weight once, a tied table too, and no buffers. */
  get parameters(): number {
    return this.#specs().reduce((sum, { shape }) => sum + elementCount(shape), 0);
  }

  /** How most of the weights are stored: F32, F16 or BF16. */
  get dtype(): string {
    const elements = new Map<string, number>();
    for (const spec of this.#specs()) {
      const { dtype } = weightEntry(this.checkpoint, spec);
      elements.set(dtype, (elements.get(dtype) ?? 0) + elementCount(spec.shape));
    }
    return [...elements].sort((a, b) => b[1] - a[1])[0]![0];
  }

  /**
   * Runs a batch of sequences of equal length in one pass.
   *
   * @param sequences token ids, each of the same length from 1 to the context
   * @throws InputError for ids out of the vocabulary or lengths that do not suit, NumericalError if a state or a
   * logit is not finite, DeviceError, and the signal's reason if it aborts.
   */
  async run(sequences: readonly Int32Array[], options: RunOptions = {}): Promise<RunResult> {
    this.#checkSequences(sequences);
    const { gpu, store, architecture, config } = this;
    const { signal } = options;
    const tokens = sequences[0]!.length;
    const steps = config.layers + 2;
    let done = 0;
    const step = async (): Promise<void> => {
      await gpu.finish();
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
      await step();

      for (let layer = 0; layer < config.layers; layer++) {
        const weights = await store.block(layer, { signal });
        architecture.block(pass, weights, layer);
        store.loadAhead(layer + 1, { signal });
        if (layer < config.layers - 1) await emit('hidden_states', layer + 1, pass.residual);
        else pass.submit();
        await step();
        await store.release(layer);
      }

      const { weight, bias } = store.finalNorm;
      const final = pass.layerNorm(pass.residual, 'normed', { weight, bias, epsilon: config.normEpsilon });
      await emit('hidden_states', config.layers, final);
      await emit('residual_final', config.layers, pass.residual);
      await states.check();

      using softmax = new MaxLogSoftmax(gpu, final);
      await store.forEachHeadSlice(
        async (slice, firstToken) => {
          signal?.throwIfAborted();
          await softmax.fold(slice, firstToken, options.onLogits);
        },
        { signal },
      );
      const { maxLogSoftmax, argmax } = await softmax.read();
      await step();
      const each = <T>(cut: (start: number, end: number) => T): T[] =>
        sequences.map((_, index) => cut(index * tokens, (index + 1) * tokens));
      return {
        maxLogSoftmax: each((start, end) => maxLogSoftmax.slice(start, end)),
        argmax: each((start, end) => argmax.slice(start, end)),
      };
    } finally {
      await store.reset();
    }
  }

  /** Frees the weights. The GPU and the checkpoint are the caller's. */
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
    for (const [index, { table, by }] of this.architecture.embeddings.entries()) {
      using rows = await gatherRows(this.gpu, this.checkpoint, table, by === 'token' ? ids : positions);
      recordEmbedding(this.gpu, pass.recorder, rows, pass.residual, index > 0);
      pass.submit();
    }
  }

  #checkSequences(sequences: readonly Int32Array[]): void {
    const { context, vocabulary } = this.config;
    const length = sequences[0]?.length ?? 0;
    if (length === 0) throw new InputError('there are no tokens to run; give at least one');
    if (sequences.some((sequence) => sequence.length !== length)) {
      throw new InputError('the sequences of one batch must have equal lengths');
    }
    if (length > context) {
      throw new InputError(`${length} tokens are more than the model's context of ${context}; take fewer`);
    }
    for (const sequence of sequences) {
      const position = sequence.findIndex((id) => id < 0 || id >= vocabulary);
      if (position >= 0) {
        throw new InputError(
          `token id ${sequence[position]} at position ${position} is not in the vocabulary of ${vocabulary}; use this model's own tokenizer`,
        );
      }
    }
  }

  /** Every weight once: a tied head is the token embedding. */
  #specs(): WeightSpec[] {
    const { embeddings, finalNorm, head } = this.architecture;
    const blocks = Array.from({ length: this.config.layers }, (_, layer) =>
      Object.values(this.architecture.blockWeights(layer)),
    );
    const all = [
      ...embeddings.map(({ table }) => table),
      ...Object.values(finalNorm),
      head,
      ...blocks.flat(),
    ];
    return [...new Map(all.map((spec) => [spec.name, spec])).values()];
  }
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
      pass.recorder.dispatch(findNonfinite, {
        bindings: { values: rowsOf(tensor, first, rows), found: this.#found },
        uniforms: { elements: rows * tensor.shape[1]!, slot, workgroups: 64 },
        workgroups: [64],
      });
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
