import type { ModelConfig } from './config.ts';
import type { ModelDescription } from './description.ts';
import { runBranched } from './branched-run.ts';
import type { Branch, BranchedLogits, BranchedOptions } from './branches.ts';
import { enterBlock, runBlock, runFinal } from './architectures/blocks.ts';
import type { Steps } from './architectures/steps.ts';
import { embedSequences } from './embed-sequences.ts';
import { InputError } from './errors.ts';
import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import { checkVariants } from './gpu/self-test.ts';
import type { Tensor } from './gpu/tensor.ts';
import { PlannedHooks } from './hooks.ts';
import type { CapturedActivation, Batch, HookRequests } from './hooks.ts';
import { HookedPass } from './hooks/hooked-pass.ts';
import { checkLens, Lens } from './lens.ts';
import type { LensOptions, LensResult } from './lens.ts';
import type { FoldedLogits, LogitsTile } from './log-softmax.ts';
import { forwardKernels } from './prepare.ts';
import { checkSequences } from './sequences.ts';
import { StateWatch } from './state-watch.ts';
import { lossTargets, noLogitsNotice, Vocabulary } from './vocabulary.ts';
import { forwardChecks } from './variant-checks.ts';
import { WeightStore } from './weight-store.ts';

export interface LoadOptions {
  readonly signal?: AbortSignal;
  /** Bytes of weights read so far, and in all. Weights that stream are read during `run` instead. */
  readonly onProgress?: (done: number, total: number) => void;
  /** The maximum number of tokens in one batch, all sequences together. Default: two sequences as long as the context. */
  readonly maxTokens?: number;
  /** Bytes of GPU memory that the reader of the states will take; weights leave them free. Default 0. */
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

export interface RunOptions extends HookRequests {
  readonly signal?: AbortSignal;
  /** Steps done, of L + 2: the embedding, each block, the vocabulary. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called in order: hidden states 0 … L, then residual_final. The run waits for it. */
  readonly onState?: (state: HiddenState) => void | Promise<void>;
  /** Called with the logits, a tile of the vocabulary at a time; a run that cannot give them fails then. */
  readonly onLogits?: (tile: LogitsTile) => void | Promise<void>;
  /**
   * Called with each captured activation, in the order of the pass; the run waits for it. Without it they are all kept, and
   * are in the result.
   */
  readonly onActivation?: ((activation: CapturedActivation) => void | Promise<void>) | undefined;
  /** What the model would say if each state were its last. */
  readonly lens?: LensOptions | undefined;
  /** Compute the loss at each position; a lens does. */
  readonly loss?: boolean | undefined;
  /** false leaves the head out: everything that is made of the logits is null then. */
  readonly logits?: boolean | undefined;
  /** Told why there are no logits, if the model's head cannot be used. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** Per sequence, one number per position. */
export interface RunResult {
  /** max(logits) − logsumexp(logits), natural logarithm; null if there are no logits. */
  readonly maxLogSoftmax: Float32Array[] | null;
  /** The token that has the largest logit; null if there are no logits. */
  readonly argmax: Int32Array[] | null;
  /** Minus the log-probability of the next token, [T − 1] in nats; null if it was not asked for or there are no logits. */
  readonly loss: Float32Array[] | null;
  /** What was captured, by name, in the order of the pass; empty where `onActivation` received it. */
  readonly activations: ReadonlyMap<string, CapturedActivation>;
  /** null if it was not asked for or there are no logits. */
  readonly lens: LensResult | null;
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
   * @throws NumericalError for NaN in a block's weights (`run` throws it for weights that only some runs need),
   * FileError, DeviceError, the signal's reason if it aborts.
   */
  static async load(gpu: Gpu, description: ModelDescription, options: LoadOptions = {}): Promise<Model> {
    const { maxTokens = 2 * description.config.context, reserve = 0 } = options;
    await checkVariants(gpu, forwardChecks);
    const activations = description.activationBytes(1, maxTokens);
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
   * Why runs give no logits, or undefined if they do. Where weights stream, finding out reads the head.
   */
  async logitsFault(signal?: AbortSignal): Promise<string | undefined> {
    if (!this.description.hasHead) return `${this.description.name}: has no head, so there are no logits`;
    const fault = await this.store.headFault({ signal });
    return fault && noLogitsNotice(fault);
  }

  /**
   * Runs a batch of sequences of equal length in one pass.
   *
   * @param sequences token ids, each of the same length from 1 to the context
   * @throws InputError for ids out of the vocabulary or lengths that do not suit, NumericalError if a state, or a logit
   * that `onLogits` wants, is not finite, DeviceError, and the signal's reason if it aborts.
   */
  async run(sequences: readonly Int32Array[], options: RunOptions = {}): Promise<RunResult> {
    checkSequences(this.config, sequences);
    if ((options.onLogits ?? options.lens ?? options.loss) && !this.description.hasHead) {
      throw new InputError(`${this.description.name}: has no head, so there are no logits to give`, {
        code: 'head-missing',
      });
    }
    checkLens(options.lens, this.config);
    const { gpu, store, config } = this;
    const { architecture } = this.description;
    const { signal } = options;
    const tokens = sequences[0]!.length;
    const batch = { sequences: sequences.length, tokens };
    const hooks = new PlannedHooks(this.description.hooks(tokens), options, batch);
    const activations = new Map<string, CapturedActivation>();
    const { finalFault } = store;
    const wantsFinal = hooks.captures.some(({ spec }) => spec.name.startsWith('ln_final.'));
    if (finalFault && (options.onState || options.onLogits || wantsFinal)) throw finalFault;
    const steps = config.layers + 2;
    let done = 0;
    const step = async (pass: ForwardPass): Promise<void> => {
      // The GPU must have used a streamed block's weights before the next ones come.
      await (store.isResident ? pass.settle() : pass.finish());
      signal?.throwIfAborted();
      options.onProgress?.(++done, steps);
    };

    signal?.throwIfAborted();
    try {
      using pass = new ForwardPass(gpu, sequences.length, tokens, config.width, signal);
      using hooked = hooks.isEmpty
        ? undefined
        : new HookedPass(pass, hooks, options.onActivation ?? ((it) => void activations.set(it.name, it)));
      using states = new StateWatch(gpu, config.layers + 2);
      using targets = lossTargets(gpu, sequences, options);
      const vocabulary = new Vocabulary(gpu, store, this.description, { ...options, targets });
      using lens = finalFault
        ? undefined
        : options.lens && new Lens(pass, vocabulary, batch, options.lens.top);
      const recorded: Steps<Tensor> = hooked ?? pass;
      const emit = async (name: HiddenState['name'], layer: number, tensor: Tensor): Promise<void> => {
        states.watch(pass, tensor);
        // Else submissions follow their own measure, across blocks.
        if (options.onState || hooked || !store.isResident) pass.submit();
        await pass.settle(); // readers of the state wait without the signal, and so not for long
        await hooked?.turn();
        await options.onState?.({ name, layer, tensor });
        if (layer < config.layers) await lens?.add(runFinal<Tensor>(architecture, pass, store.final));
      };

      await embedSequences(pass, this.description, sequences, hooked);
      enterBlock(recorded, 0);
      await hooked?.run();
      await emit('hidden_states', 0, pass.residual);
      await step(pass);

      for (let layer = 0; layer < config.layers; layer++) {
        const weights = await store.block(layer, { signal });
        if (layer > 0) enterBlock(recorded, layer);
        runBlock(architecture, recorded, weights, layer);
        await hooked?.run();
        store.loadAhead(layer + 1, { signal }, (lens?.reserve ?? 0) + hooks.captureBytes);
        if (layer < config.layers - 1) await emit('hidden_states', layer + 1, pass.residual);
        else if (!store.isResident) pass.submit();
        await step(pass);
        await store.release(layer);
      }

      if (finalFault) {
        await emit('residual_final', config.layers, pass.residual);
        await hooked?.finish();
        pass.submit();
        await states.check();
        options.onNotice?.(noLogitsNotice(finalFault));
        await step(pass);
        return { ...perSequence(undefined, batch), activations, lens: null };
      }
      const final = runFinal(architecture, recorded, store.final);
      await hooked?.run();
      await emit('hidden_states', config.layers, final);
      await emit('residual_final', config.layers, pass.residual);
      await hooked?.finish();
      pass.submit();
      await states.check();

      const isFolded = options.logits !== false || options.loss === true || options.onLogits !== undefined;
      const logits = await (lens ? lens.finish(final) : isFolded ? vocabulary.fold([final]) : undefined);
      await step(pass);
      return { ...perSequence(logits?.at(-1), batch), activations, lens: lens?.result ?? null };
    } finally {
      await store.reset();
    }
  }

  /**
   * Runs a batch and branches that leave it at some state and change it: `runBranched` tells how.
   * @throws as `run` does
   */
  runBranched(
    sequences: readonly Int32Array[],
    branches: readonly Branch[],
    options: BranchedOptions,
  ): Promise<BranchedLogits[] | null> {
    return runBranched(this.gpu, this.store, this.description, sequences, branches, options);
  }

  /** Frees the weights. The GPU and the description are the caller's. */
  dispose(): void {
    this.store.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Numbers of all positions, cut into sequences. */
function perSequence(
  logits: FoldedLogits | undefined,
  { sequences, tokens }: Batch,
): Pick<RunResult, 'maxLogSoftmax' | 'argmax' | 'loss'> {
  if (!logits) return { maxLogSoftmax: null, argmax: null, loss: null };
  const { maxLogSoftmax, argmax, targetLogProbabilities: next } = logits;
  const starts = Array.from({ length: sequences }, (_, index) => index * tokens);
  return {
    maxLogSoftmax: starts.map((start) => maxLogSoftmax.slice(start, start + tokens)),
    argmax: starts.map((start) => argmax.slice(start, start + tokens)),
    loss: next
      ? starts.map((start) => next.slice(start, start + tokens - 1).map((value) => 0 - value))
      : null,
  };
}
