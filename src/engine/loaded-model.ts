import { unlessAborted } from './abort.ts';
import { openBrowserGpu } from './gpu/open.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { ModelConfig } from './config.ts';
import { describeModel } from './description.ts';
import type { ModelDescription } from './description.ts';
import { InputError } from './errors.ts';
import type { ModelFiles } from './files.ts';
import type { CapturedActivation } from './hooks.ts';
import { Model } from './model.ts';
import { checkIds, groupByLength, requestsOfGroup } from './sequence-groups.ts';
import { isSeveral, resultOf, sliceOf } from './sequence-run.ts';
import type { SequenceActivation, SequenceRun, SequenceRunOptions, TextOrIds } from './sequence-run.ts';
import { checkSequences } from './sequences.ts';
import { loadTokenizer } from './tokenizer.ts';
import type { EncodeOptions, Tokenizer } from './tokenizer.ts';

/** How far loading has come, in bytes: of files fetched from the hub, then of weights read. */
export interface LoadProgress {
  readonly stage: 'fetch' | 'load';
  readonly done: number;
  readonly total: number;
}

export interface LoadModelOptions {
  /** Where to compute. Without it, a GPU is opened, and disposed with the model. */
  readonly gpu?: Gpu | undefined;
  /** Stops loading. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** Receives notices, one line each: what a user should know and no error says. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** The maximum number of tokens that run at once, all sequences of a batch together. Default: twice the context. */
  readonly maxTokens?: number | undefined;
}

/** A model, its tokenizer and its GPU, as one: texts go in, named activations come out. */
export class LoadedModel implements Disposable, AsyncDisposable {
  #running = 0;
  #disposed = false;
  #closing: Promise<void> | undefined;

  private constructor(
    /** The engine's own model: batches of equal length, states on the GPU. */
    readonly model: Model,
    private readonly tokenizer: Tokenizer | Error,
    private readonly maxTokens: number,
    private readonly ownsGpu: boolean,
  ) {}

  /**
   * Loads a model from its files, wherever they lie. Without a tokenizer among them it takes token ids only.
   * @param openGpu opens a GPU if `options.gpu` gives none; it is told the bytes of all weights
   * @throws FileError, FormatError, ConfigError, CheckpointError or NumericalError for files that cannot be used,
   * DeviceError if there is no usable GPU, and the signal's reason if it aborts; nothing stays open then
   */
  static async open(
    files: ModelFiles,
    options: LoadModelOptions = {},
    openGpu: (weightBytes: number) => Promise<Gpu> = () => openBrowserGpu(),
  ): Promise<LoadedModel> {
    const { signal, onProgress, onNotice } = options;
    signal?.throwIfAborted();
    const description = await describeModel(files, { signal, onNotice });
    let gpu = options.gpu;
    try {
      const { maxTokens = 2 * description.config.context } = options;
      gpu ??= await unlessAborted(openGpu(description.sizes.all), signal, (late) => late.dispose());
      const reading = loadTokenizer(files, { signal }).catch((error: unknown) => error as Error);
      const model = await Model.load(gpu, description, {
        ...(signal && { signal }),
        maxTokens,
        onProgress: (done, total) => onProgress?.({ stage: 'load', done, total }),
      });
      const tokenizer = await reading;
      if (signal?.aborted) model.dispose();
      signal?.throwIfAborted();
      return new LoadedModel(model, tokenizer, maxTokens, gpu !== options.gpu);
    } catch (error) {
      await description.close();
      if (gpu !== options.gpu) gpu?.dispose();
      throw error;
    }
  }

  get config(): ModelConfig {
    return this.model.config;
  }

  /** What the model has: weights, parameters, and the names of its activations (`hooks`). */
  get description(): ModelDescription {
    return this.model.description;
  }

  get gpu(): Gpu {
    return this.model.gpu;
  }

  /**
   * A text's token ids, [T], with no special token added; in one piece, which takes about a second for each 10 MB.
   * @throws FileError or FormatError if the model has no tokenizer that can be used
   */
  tokenize(text: string): Int32Array<ArrayBuffer> {
    return Int32Array.from(this.#tokenizer.encode(text));
  }

  /**
   * The same ids of a text of any length, in slices of time: a signal is heard, and others have a turn.
   * @throws as `tokenize`, and the signal's reason if it aborts
   */
  async tokenizeLong(text: string, options?: EncodeOptions): Promise<Int32Array<ArrayBuffer>> {
    return this.#tokenizer.encodeLong(text, options);
  }

  /**
   * The text of token ids.
   * @throws FileError or FormatError if the model has no tokenizer that can be used, InputError for what is not an id
   */
  decode(ids: ArrayLike<number>): string {
    return this.#tokenizer.decode(ids);
  }

  /**
   * Runs a text or token ids, or several at once. Sequences of equal length share batches; lengths may differ, and results
   * come in the order of what was given. In `capture` and `edits`, sequences are counted in that order, too.
   *
   * @throws InputError for empty texts, ids out of the vocabulary, more tokens than the context, names and choices that
   * do not exist; NumericalError if a state is not finite; DeviceError; the signal's reason if it aborts
   */
  run(input: TextOrIds, options?: SequenceRunOptions): Promise<SequenceRun>;
  run(input: readonly TextOrIds[], options?: SequenceRunOptions): Promise<SequenceRun[]>;
  async run(
    input: TextOrIds | readonly TextOrIds[],
    options: SequenceRunOptions = {},
  ): Promise<SequenceRun | SequenceRun[]> {
    return this.whileRunning(async () => {
      if (isSeveral(input)) return this.#runAll(input, options);
      return (await this.#runAll([input], options))[0]!;
    });
  }

  /**
   * Does something that runs the model. Where weights pass through the GPU, only one run at a time can have them.
   * @throws InputError `disposed` or `busy`
   */
  async whileRunning<Result>(act: () => Promise<Result>): Promise<Result> {
    if (this.#disposed)
      throw new InputError(`${this.description.name}: was used after dispose(); load it again`, {
        code: 'disposed',
      });
    if (this.#running > 0 && !this.model.isResident) {
      throw new InputError(
        `${this.description.name}: is running, and its weights pass through the GPU; wait until that run ends`,
        { code: 'busy' },
      );
    }
    this.#running += 1;
    try {
      return await act();
    } finally {
      this.#running -= 1;
    }
  }

  /**
   * Runs as `run` does and yields each captured activation when its layer has computed; the pass waits until the next one
   * is asked for. Leaving the loop ends the run.
   */
  async *stream(
    input: TextOrIds | readonly TextOrIds[],
    options: Omit<SequenceRunOptions, 'onActivation'> = {},
  ): AsyncGenerator<SequenceActivation, void, undefined> {
    const stop = new AbortController();
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
    const { readable, writable } = new TransformStream<SequenceActivation, SequenceActivation>();
    const [reader, writer] = [readable.getReader(), writable.getWriter()];
    const onActivation = (activation: SequenceActivation) => writer.write(activation);
    const inputs = isSeveral(input) ? input : [input];
    const run = this.run(inputs, { ...options, signal, onActivation })
      .then(() => writer.close())
      .catch((error: unknown) => writer.abort(error))
      .catch(() => undefined); // the loop was left, and nobody waits for a failure
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
    } finally {
      stop.abort();
      await reader.cancel().catch(() => undefined); // an error was thrown by read() already
      await run;
    }
  }

  /** Frees the weights, closes the files, and disposes the GPU unless it was given. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.model.dispose();
    this.#closing = this.description.close();
    this.#closing.catch(() => undefined); // the caller who waits for it hears of it
    if (this.ownsGpu) this.gpu.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Waits until the files are closed, too. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    await this.#closing;
  }

  get #tokenizer(): Tokenizer {
    if (this.tokenizer instanceof Error) throw this.tokenizer;
    return this.tokenizer;
  }

  async #runAll(inputs: readonly TextOrIds[], options: SequenceRunOptions): Promise<SequenceRun[]> {
    const { config, description } = this;
    const sequences = await tokensOf(this, inputs, options.signal);
    const groups = groupByLength(sequences, this.maxTokens).map((places) => {
      const ids = places.map((place) => sequences[place]!);
      checkSequences(config, ids);
      const tokens = ids[0]!.length;
      const scope = { total: sequences.length, tokens, specs: description.hooks(tokens) };
      return { places, ids, requests: requestsOfGroup(places, options, scope) };
    });
    const { signal, onNotice, onActivation, onProgress, lens, loss } = options;
    const kept = sequences.map(() => new Map<string, CapturedActivation>());
    const keep = ({ sequence, ...activation }: SequenceActivation) =>
      void kept[sequence]!.set(activation.name, activation);
    const runs: SequenceRun[] = [];
    for (const [index, { places, ids, requests }] of groups.entries()) {
      const result = await this.model.run(ids, {
        ...(signal && { signal }),
        ...requests,
        lens,
        loss,
        onNotice,
        onProgress: (done, total) => onProgress?.(index * total + done, groups.length * total),
        onActivation: async (activation) => {
          const chosen = requests.captured.get(activation.name)!;
          for (const [slot, local] of chosen.entries()) {
            const own = places.length > 1 ? sliceOf(activation, slot) : activation;
            await (onActivation ?? keep)({ ...own, sequence: places[local]! });
          }
        },
      });
      for (const [slot, place] of places.entries()) {
        const activations = Object.fromEntries(kept[place]!);
        runs[place] = { ids: ids[slot]!, activations, ...resultOf(result, slot, places.length > 1) };
      }
    }
    return runs;
  }
}

/**
 * The ids of texts, and of what is ids already.
 * @throws InputError for what cannot be an id, as `model.tokenize`, and the signal's reason if it aborts
 */
export async function tokensOf(
  model: LoadedModel,
  inputs: readonly TextOrIds[],
  signal: AbortSignal | undefined,
): Promise<Int32Array<ArrayBuffer>[]> {
  const sequences: Int32Array<ArrayBuffer>[] = [];
  for (const [place, input] of inputs.entries())
    sequences.push(
      checkIds(typeof input === 'string' ? await model.tokenizeLong(input, { signal }) : input, place),
    );
  return sequences;
}
