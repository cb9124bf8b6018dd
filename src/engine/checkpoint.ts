import { budgets } from './budgets.ts';
import { CheckpointError, FileError, FormatError } from './errors.ts';
import { listNames } from './message.ts';
import type { ByteSource, ModelFiles } from './files.ts';
import { isJsonObject, readJson } from './files.ts';
import { readHeader } from './safetensors.ts';
import type { WeightFiles } from './weight-files.ts';
import {
  chooseWeightFiles,
  liesInside,
  weightCandidates,
  weightFile,
  weightFilesOf,
  weightIndex,
} from './weight-files.ts';

/** Weights as other libraries save them: by usual names if a folder cannot be listed, else by their endings. */
const OTHER_WEIGHTS = ['pytorch_model.bin', 'pytorch_model.bin.index.json'];
const OTHER_WEIGHT_NAMES = /\.(bin|pt|pth|ckpt|pkl|pickle|h5|msgpack|gguf|ggml|onnx|npz|bin\.index\.json)$/i;
const NO_WEIGHTS = /^(training_args|optimizer|scheduler|rng_state|random_states|tokenizer)/i;

/** A tensor of a checkpoint, and the place of its bytes. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** The first byte, counted from the start of the source. */
  readonly offset: number;
  readonly bytes: number;
}

export interface OpenOptions {
  /** Receives notices: one sentence each that a user should know, but that is not an error. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Stops opening. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The safetensors files of a model and the places of their tensors. Opening them reads the index if there is one, and
 * the headers; the weights themselves are read later, in ranges, through the entries. Only the architecture knows what the
 * tensors mean, so a tensor counts as missing only when it is asked for.
 */
export class Checkpoint {
  readonly #tensors = new Map<string, TensorEntry>();
  readonly #sources: ByteSource[] = [];
  /** Where the index puts each tensor, if there is an index. */
  #index: ReadonlyMap<string, string> = new Map();
  readonly #missingShards = new Set<string>();
  /** For tensors that are in two files: the second file. */
  readonly #twice = new Map<string, ByteSource>();

  /** @param name folder path or hub id, for messages */
  private constructor(readonly name: string) {}

  /**
   * @throws FileError or FormatError if there are no weights, or a file that is there is malformed, the signal's reason if it
   * aborts between two files.
   */
  static async open(files: ModelFiles, options: OpenOptions = {}): Promise<Checkpoint> {
    const checkpoint = new Checkpoint(files.name);
    try {
      await checkpoint.#openFiles(files, options);
      return checkpoint;
    } catch (error) {
      await checkpoint.close();
      throw error;
    }
  }

  /** Those that the files hold, by their whole names. */
  get tensors(): ReadonlyMap<string, TensorEntry> {
    return this.#tensors;
  }

  /** The names, or paths, of the files that are open. */
  get files(): readonly string[] {
    return this.#sources.map(({ name }) => name);
  }

  /** Names of all tensors that the files hold or the index lists. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#tensors.keys(), ...this.#index.keys()]);
  }

  /** The file, or files, for messages. */
  get where(): string {
    return this.#sources.length === 1
      ? this.#sources[0]!.name
      : `the ${this.#sources.length} shards of ${this.name}`;
  }

  /**
   * A tensor, or undefined if the files do not have it.
   * @throws FileError if it is in a shard that is missing, CheckpointError if two files hold it.
   */
  find(name: string): TensorEntry | undefined {
    const entry = this.#tensors.get(name);
    const shard = this.missingShard(name);
    if (shard !== undefined) {
      throw FileError.at(
        this.name,
        `${shard} is missing, and tensor ${name} is in it; download the rest of the model`,
        { code: 'file-missing', subject: { kind: 'file', name: shard } },
      );
    }
    const other = this.#twice.get(name);
    if (entry && other) {
      throw new CheckpointError(
        `tensor ${name} is in two files, ${entry.source.name} and ${other.name}; keep the shards of one model only`,
        { code: 'tensor-twice', subject: { kind: 'tensor', name } },
      );
    }
    return entry;
  }

  /** The missing file that holds a tensor according to the index; undefined for all other tensors. */
  missingShard(name: string): string | undefined {
    const shard = this.#index.get(name);
    const isMissing = shard !== undefined && this.#missingShards.has(shard) && !this.#tensors.has(name);
    return isMissing ? shard : undefined;
  }

  /** @throws CheckpointError if the files have no tensor of that name; else as `find`. */
  entry(name: string): TensorEntry {
    const entry = this.find(name);
    if (!entry)
      throw new CheckpointError(`tensor ${name} is not in ${this.where}`, {
        code: 'tensor-not-found',
        subject: { kind: 'tensor', name },
      });
    return entry;
  }

  /** Closes the files. Entries must not be read afterwards. */
  async close(): Promise<void> {
    await Promise.all(this.#sources.map((source) => source.close()));
  }

  async #openFiles(files: ModelFiles, { onNotice, signal }: OpenOptions): Promise<void> {
    const chosen = await findWeightFiles(files);
    if ('index' in chosen) return this.#openShards(files, chosen.index, signal);
    for (const fileName of chosen.files) {
      signal?.throwIfAborted();
      const source = await files.open(fileName);
      if (!source)
        throw FileError.at(files.name, `${fileName} is missing; download the model again`, {
          code: 'file-missing',
          subject: { kind: 'file', name: fileName },
        });
      await this.#add(source);
    }
    if (chosen.isGuess) {
      onNotice?.(`${files.name}: has no ${weightFile}; its weights are read from ${listNames(chosen.files)}`);
    }
  }

  async #openShards(files: ModelFiles, indexName: string, signal?: AbortSignal): Promise<void> {
    this.#index = parseIndex(await readJson(files, indexName), `${files.name}/${indexName}`);
    for (const shard of new Set(this.#index.values())) {
      signal?.throwIfAborted();
      const source = await files.open(shard);
      if (source) await this.#add(source);
      else this.#missingShards.add(shard);
    }
    if (this.#sources.length === 0) {
      const [shard] = this.#missingShards;
      throw FileError.at(
        files.name,
        `${shard} is missing, though ${indexName} names it; download the rest of the model`,
        { code: 'file-missing', subject: { kind: 'file', name: shard! } },
      );
    }
  }

  async #add(source: ByteSource): Promise<void> {
    this.#sources.push(source);
    for (const [name, { dtype, shape, offset, bytes }] of (await readHeader(source)).tensors) {
      const other = this.#tensors.get(name);
      if (other) this.#twice.set(name, other.source);
      this.#tensors.set(name, { name, dtype, shape, source, offset, bytes });
    }
  }
}

async function findWeightFiles(files: ModelFiles): Promise<WeightFiles> {
  const names = await files.list?.();
  const chosen = names ? chooseWeightFiles(names) : await probe(files);
  if (isChoice(chosen)) return chosen;
  if (chosen) {
    throw FileError.at(
      files.name,
      `holds several safetensors files (${listNames(chosen)}) and no index of them; ` +
        `name the one to use ${weightFile}, or add ${weightIndex}`,
      { code: 'weights-ambiguous' },
    );
  }
  throw await noWeights(files);
}

function isChoice(chosen: WeightFiles | readonly string[] | undefined): chosen is WeightFiles {
  return chosen !== undefined && !Array.isArray(chosen);
}

/** Looks for the usual names one after another. */
async function probe(files: ModelFiles): Promise<WeightFiles | undefined> {
  for (const name of weightCandidates) {
    const source = await files.open(name);
    if (!source) continue;
    await source.close();
    return weightFilesOf(name);
  }
  return undefined;
}

/** Tensor name to the name of a file beside the index. */
function parseIndex(index: unknown, name: string): Map<string, string> {
  const weightMap = isJsonObject(index) ? index['weight_map'] : undefined;
  if (!isJsonObject(weightMap)) throw FormatError.at(name, 'has no weight_map; download the file again');
  const shards = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string')
      throw FormatError.at(name, `weight_map entry ${tensor} is not a file name`);
    // A downloaded index must not be able to make the reader open files elsewhere on the machine.
    if (!liesInside(shard)) {
      throw FormatError.at(
        name,
        `weight_map puts ${tensor} in ${JSON.stringify(shard)}, which is not a file of this folder`,
      );
    }
    shards.set(tensor, shard);
  }
  if (shards.size === 0) throw FormatError.at(name, 'its weight_map is empty; download the file again');
  const files = new Set(shards.values()).size;
  if (files > budgets.shards) {
    throw FormatError.at(
      name,
      `its weight_map names ${files} files, and at most ${budgets.shards} are read; save the model in fewer shards`,
    );
  }
  return shards;
}

async function noWeights(files: ModelFiles): Promise<FileError> {
  const names = await files.list?.();
  const adapter = names?.find((name) => /^adapter_model\.(safetensors|bin)$/.test(name));
  if (adapter !== undefined) {
    return FileError.at(
      files.name,
      `has only the weights of an adapter (${adapter}), and Laminar runs whole models; ` +
        "merge the adapter into its base model first (PEFT's merge_and_unload)",
      { code: 'weights-of-adapter', subject: { kind: 'file', name: adapter } },
    );
  }
  const other = await otherWeights(files, names);
  if (other !== undefined) {
    return FileError.at(
      files.name,
      `has its weights only as ${other}, and Laminar reads safetensors; ` +
        'use a revision of the model that has model.safetensors',
      { code: 'weights-missing', subject: { kind: 'file', name: other } },
    );
  }
  return FileError.at(
    files.name,
    `has neither ${weightFile} nor ${weightIndex}; download the model's weights`,
    { code: 'weights-missing' },
  );
}

async function otherWeights(
  files: ModelFiles,
  names: readonly string[] | undefined,
): Promise<string | undefined> {
  const listed = names?.find((name) => OTHER_WEIGHT_NAMES.test(name) && !NO_WEIGHTS.test(name));
  if (listed !== undefined) return listed;
  for (const name of OTHER_WEIGHTS) {
    const source = await files.open(name);
    if (!source) continue;
    await source.close();
    return name;
  }
  return undefined;
}
