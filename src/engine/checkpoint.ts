import type { ModelConfig } from './config.ts';
import { parseConfig } from './config.ts';
import { CheckpointError, FileError, FormatError } from './errors.ts';
import type { ByteSource, ModelFiles } from './files.ts';
import { isJsonObject, readJson } from './files.ts';
import { readHeader } from './safetensors.ts';

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const PICKLES = ['pytorch_model.bin', 'pytorch_model.bin.index.json'];

/** A tensor of a checkpoint and where its bytes lie. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** In bytes from the start of the source. */
  readonly offset: number;
  readonly bytes: number;
}

/**
 * A model's configuration and the places of its tensors. Opening one reads config.json, the index if there is one, and
 * the headers of the safetensors files; the weights themselves are read later, in ranges, through the entries.
 */
export class Checkpoint {
  private constructor(
    /** Folder path or hub id, for messages. */
    readonly name: string,
    readonly config: ModelConfig,
    readonly tensors: ReadonlyMap<string, TensorEntry>,
    private readonly sources: readonly ByteSource[],
  ) {}

  /**
   * @throws FileError or FormatError if a file is missing or malformed, ConfigError if config.json names what the
   * engine does not know, CheckpointError if the shards and their index disagree.
   */
  static async open(files: ModelFiles): Promise<Checkpoint> {
    const json = await readJson(files, 'config.json');
    if (json === undefined) {
      throw new FileError(`${files.name}: has no config.json; give a folder that holds a model, or a hub id`);
    }
    const config = parseConfig(json, `${files.name}/config.json`);
    const sources: ByteSource[] = [];
    try {
      const tensors = await openTensors(files, sources);
      return new Checkpoint(files.name, config, tensors, sources);
    } catch (error) {
      await closeAll(sources);
      throw error;
    }
  }

  /** @throws CheckpointError if the checkpoint has no tensor of that name. */
  entry(name: string): TensorEntry {
    const entry = this.tensors.get(name);
    if (entry) return entry;
    const where =
      this.sources.length === 1 ? this.sources[0]!.name : `the ${this.sources.length} shards of ${this.name}`;
    throw new CheckpointError(
      `tensor ${name} is not in ${where}, and config.json (${this.config.architecture}, ` +
        `${this.config.layers} layers) needs it; check that both belong to the same model`,
    );
  }

  find(name: string): TensorEntry | undefined {
    return this.tensors.get(name);
  }

  /** Closes the files. Entries must not be read afterwards. */
  close(): Promise<void> {
    return closeAll(this.sources);
  }
}

async function openTensors(files: ModelFiles, sources: ByteSource[]): Promise<Map<string, TensorEntry>> {
  const tensors = new Map<string, TensorEntry>();
  const single = await files.open(WEIGHTS);
  if (single) {
    await addTensors(single, sources, tensors);
    return tensors;
  }
  const index = await readJson(files, INDEX);
  if (index === undefined) throw await noWeights(files);

  const weightMap = parseIndex(index, `${files.name}/${INDEX}`);
  const shards = new Map<string, ByteSource>();
  for (const shard of new Set(weightMap.values())) {
    const source = await files.open(shard);
    if (!source) {
      throw new FileError(
        `${files.name}: ${shard} is missing, though ${INDEX} names it; download the rest of the model`,
      );
    }
    shards.set(shard, source);
    await addTensors(source, sources, tensors);
  }
  for (const [name, shard] of weightMap) {
    const found = tensors.get(name)?.source;
    if (found !== shards.get(shard)) {
      const actually = found ? `; it is in ${found.name}` : '';
      throw new CheckpointError(
        `${files.name}: tensor ${name} is not in ${shard}, where ${INDEX} puts it${actually}; download the model again`,
      );
    }
  }
  return tensors;
}

async function addTensors(
  source: ByteSource,
  sources: ByteSource[],
  tensors: Map<string, TensorEntry>,
): Promise<void> {
  sources.push(source);
  for (const [name, { dtype, shape, offset, bytes }] of (await readHeader(source)).tensors) {
    const other = tensors.get(name);
    if (other) {
      throw new CheckpointError(
        `tensor ${name} is in two files, ${other.source.name} and ${source.name}; keep the shards of one model only`,
      );
    }
    tensors.set(name, { name, dtype, shape, source, offset, bytes });
  }
}

/** Tensor name to the name of a file beside the index. */
function parseIndex(index: unknown, name: string): Map<string, string> {
  const weightMap = isJsonObject(index) ? index['weight_map'] : undefined;
  if (!isJsonObject(weightMap)) throw new FormatError(`${name}: has no weight_map; download the file again`);
  const shards = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(weightMap)) {
    if (typeof shard !== 'string')
      throw new FormatError(`${name}: weight_map entry ${tensor} is no file name`);
    // A downloaded index must not be able to make the reader open files elsewhere on the machine.
    if (/[/\\:\0]/.test(shard) || /^\.*$/.test(shard)) {
      throw new FormatError(
        `${name}: weight_map puts ${tensor} in ${JSON.stringify(shard)}, which is no file of this folder`,
      );
    }
    shards.set(tensor, shard);
  }
  if (shards.size === 0) throw new FormatError(`${name}: its weight_map is empty; download the file again`);
  return shards;
}

async function noWeights(files: ModelFiles): Promise<FileError> {
  for (const fileName of PICKLES) {
    const pickle = await files.open(fileName);
    if (!pickle) continue;
    await pickle.close();
    return new FileError(
      `${files.name}: has its weights only as ${fileName}, and Laminar reads safetensors; ` +
        'use a revision of the model that has model.safetensors',
    );
  }
  return new FileError(`${files.name}: has neither ${WEIGHTS} nor ${INDEX}; download the model's weights`);
}

async function closeAll(sources: readonly ByteSource[]): Promise<void> {
  await Promise.all(sources.map((source) => source.close()));
}
