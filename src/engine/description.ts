import { unlessAborted } from './abort.ts';
import type { Architecture } from './architectures/architecture.ts';
import { enterBlock, runBlock, runFinal } from './architectures/blocks.ts';
import { readArchitecture } from './architectures/registry.ts';
import { Checkpoint } from './checkpoint.ts';
import type { OpenOptions } from './checkpoint.ts';
import type { ModelConfig } from './config.ts';
import { embeddingName } from './embedding.ts';
import { CheckpointError, FileError, LaminarError } from './errors.ts';
import type { ModelFiles } from './files.ts';
import { readJson } from './files.ts';
import { bytesPerElement, elementCount } from './gpu/tensor.ts';
import type { Dtype } from './gpu/tensor.ts';
import type { HookSpec, PlannedHooks } from './hooks.ts';
import { batchBytes } from './memory.ts';
import type { WeightSizes } from './memory.ts';
import { Tally } from './tally.ts';
import type { Counted } from './tally.ts';
import { findWeights } from './find-weights.ts';
import type { Weights } from './find-weights.ts';
import { weightBytes } from './weights.ts';
import type { Weight } from './weights.ts';
import { joinWork, operationsOf } from './work.ts';
import type { WorkByKernel } from './work.ts';

const ADAPTER_CONFIG = 'adapter_config.json';

/** A matrix of a model, as the matrix product takes it. */
export interface MatrixProduct {
  readonly inner: number;
  readonly columns: number;
  readonly layout: '[in, out]' | '[out, in]';
  readonly dtype: Dtype;
}

/**
 * Everything known of a model, as one value: its configuration, the place of each of its weights, and what follows from
 * both. It is made when the model is opened. Plans, bounds, runs and reports read it.
 */
export class ModelDescription {
  readonly config: ModelConfig;
  readonly sizes: WeightSizes;
  readonly #all: readonly Weight[];

  /** @param name folder path or hub id, for messages */
  constructor(
    readonly name: string,
    readonly architecture: Architecture,
    readonly weights: Weights,
    private readonly checkpoint: Checkpoint,
    /** Told what a user should know of the weights, once they are read. */
    readonly onNotice?: OpenOptions['onNotice'],
  ) {
    this.config = architecture.config;
    const { embeddings, blocks, final, head } = weights;
    const passing = [...blocks.flatMap((block) => Object.values(block)), ...Object.values(final)];
    if (head) passing.push(head);
    this.#all = [...new Set([...embeddings.map(({ table }) => table), ...passing])];
    this.sizes = {
      all: sum(passing, weightBytes),
      block: Math.max(...blocks.map((block) => sum(Object.values(block), weightBytes))),
      finalNorm: sum(Object.values(final), weightBytes),
      head: head ? weightBytes(head) : 0,
      read: sum(passing, ({ entry }) => entry.bytes),
      embeddingRow: sum(embeddings, ({ table }) => table.entry.bytes / table.shape[0]!),
    };
  }

  /** Number of parameters: every weight once, a tied table too, and no buffers. */
  get parameters(): number {
    return sum(this.#all, ({ shape }) => elementCount(shape));
  }

  /** How most of the weights are stored: F32, F16, BF16 or F64. */
  get dtype(): string {
    const elements = new Map<string, number>();
    for (const { shape, entry } of this.#all) {
      elements.set(entry.dtype, (elements.get(entry.dtype) ?? 0) + elementCount(shape));
    }
    return [...elements].sort((a, b) => b[1] - a[1])[0]![0];
  }

  /** The dtypes in which matrices lie on the GPU. */
  get matrixDtypes(): ReadonlySet<Dtype> {
    return new Set(this.#all.filter(({ shape }) => shape.length > 1).map(({ dtype }) => dtype));
  }

  /** The kernels that its steps take, by their names without the variant. */
  get kernels(): ReadonlySet<string> {
    return new Set(Object.keys(this.#tally(1, 1).work));
  }

  /** The names, or paths, of the files that hold its weights. */
  get weightFiles(): readonly string[] {
    return this.checkpoint.files;
  }

  /** Whether it has a head, and so logits. */
  get hasHead(): boolean {
    return this.weights.head !== undefined;
  }

  /**
   * Every named activation, in the order of the pass: what can be captured and changed.
   * @param tokens T
   */
  hooks(tokens: number): HookSpec[] {
    return this.#tally(1, tokens).hooks;
  }

  /**
   * Bytes of the activations of one batch on the GPU: what the steps write, a tile of logits, and copies of what is captured.
   * @param sequences B
   * @param tokens T
   */
  activationBytes(sequences: number, tokens: number, hooks?: PlannedHooks): number {
    const vocabulary = this.hasHead ? this.config.vocabulary : 0;
    const { bytes } = this.#tally(sequences, tokens, hooks);
    return bytes + batchBytes(sequences * tokens, vocabulary) + (hooks?.captureBytes ?? 0);
  }

  /** Floating-point operations of a forward pass, the head's included. */
  operations(sequences: number, tokens: number): number {
    return operationsOf(this.work(sequences, tokens));
  }

  /**
   * What each kernel of a forward pass does, the embedding and the head included.
   * @param sequences B
   * @param tokens T
   * @param foldedColumns tokens of a tile of lm_head where logits are folded as they are made; 0 where they are written
   */
  work(sequences: number, tokens: number, foldedColumns = 0): WorkByKernel {
    const { weights, config } = this;
    const rows = sequences * tokens;
    // Each table's rows are read; the first are written, the others added to what is there.
    const states = 4 * rows * config.width;
    const tables = sum(weights.embeddings, ({ table }) => bytesPerElement[table.dtype] * rows * config.width);
    const embed = { operations: 0, bytes: tables + states * (2 * weights.embeddings.length - 1) };
    const steps = joinWork({ embed }, this.#tally(sequences, tokens).work);
    const { head } = weights;
    if (!head) return steps;
    const vocabulary = head.shape[0]!;
    // As in `canFoldLogits`: the kernel reads whole vec4s.
    const isFolded = foldedColumns > 0 && config.width % 4 === 0 && weightBytes(head) % 16 === 0;
    // Each logit, or three numbers of each tile: they are written and read once.
    const logits = 4 * rows * (isFolded ? 3 * Math.ceil(vocabulary / foldedColumns) : vocabulary);
    return joinWork(steps, {
      'matrix-product': {
        operations: 2 * rows * elementCount(head.shape),
        bytes: states + weightBytes(head) + logits,
      },
      'fold-log-softmax': { operations: 0, bytes: logits },
    });
  }

  /** The matrices that each position is multiplied with: those of the first block in order, and the head's. */
  products(): { block: readonly MatrixProduct[]; head: MatrixProduct | undefined } {
    const { blocks, head } = this.weights;
    const tally = new Tally(1, 1, this.config.width);
    this.architecture.block<Counted>(tally, blocks[0]!, 0);
    if (!head) return { block: tally.products, head: undefined };
    const [columns, inner] = head.shape as [number, number];
    return { block: tally.products, head: { inner, columns, layout: '[out, in]', dtype: head.dtype } };
  }

  /** Closes the files: weights must not be read afterwards. */
  close(): Promise<void> {
    return this.checkpoint.close();
  }

  #tally(sequences: number, tokens: number, hooks?: PlannedHooks): Tally {
    const { architecture, weights } = this;
    const tally = new Tally(sequences, tokens, this.config.width, hooks);
    weights.embeddings.forEach(({ by }, index) => {
      tally.embedding(embeddingName(by), index === 0);
    });
    weights.blocks.forEach((block, layer) => {
      enterBlock<Counted>(tally, layer);
      runBlock<Counted>(architecture, tally, block, layer);
    });
    runFinal<Counted>(architecture, tally, weights.final);
    return tally;
  }
}

/**
 * Opens a model: reads config.json and the headers of the safetensors files, and finds each weight that the architecture
 * needs. Weights are read later; only where a tied head has a table of its own are the two compared.
 *
 * @throws FileError or FormatError if a file is missing or malformed, ConfigError if config.json asks for what the
 * engine does not know, CheckpointError if a weight is missing, misshapen or quantised, or if it is an adapter, and the
 * signal's reason as soon as it aborts; no file stays open then.
 */
export async function describeModel(files: ModelFiles, options: OpenOptions = {}): Promise<ModelDescription> {
  options.signal?.throwIfAborted();
  return unlessAborted(describeFiles(files, options), options.signal, (late) => late.close());
}

async function describeFiles(files: ModelFiles, options: OpenOptions): Promise<ModelDescription> {
  const isWithAdapter = (await files.list?.())?.includes(ADAPTER_CONFIG) === true;
  try {
    const description = await describeWhole(files, options);
    if (isWithAdapter) {
      options.onNotice?.(
        `${files.name}: has an ${ADAPTER_CONFIG}, too; the whole model is run, and no adapter`,
      );
    }
    return description;
  } catch (error) {
    // An adapter does not have all that a model needs, and that is not its fault.
    throw isWithAdapter && error instanceof LaminarError ? anAdapter(files.name) : error;
  }
}

async function describeWhole(files: ModelFiles, options: OpenOptions): Promise<ModelDescription> {
  const json = await readJson(files, 'config.json');
  if (json === undefined) {
    throw FileError.at(files.name, 'has no config.json; give a folder that holds a model, or a hub id', {
      code: 'file-missing',
      subject: { kind: 'file', name: 'config.json' },
    });
  }
  const architecture = readArchitecture(json, `${files.name}/config.json`, options);
  const checkpoint = await Checkpoint.open(files, options);
  try {
    const weights = await findWeights(checkpoint, architecture, options);
    return new ModelDescription(files.name, architecture, weights, checkpoint, options.onNotice);
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

function anAdapter(name: string): CheckpointError {
  return new CheckpointError(
    `${name}: is an adapter (it has ${ADAPTER_CONFIG}), and Laminar runs whole models; merge the adapter into its base model first (PEFT's merge_and_unload)`,
    { code: 'weights-of-adapter', subject: { kind: 'file', name } },
  );
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}
