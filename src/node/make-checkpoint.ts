import { readdir, stat, statfs } from 'node:fs/promises';
import { jsonText } from '../analysis/json.ts';
import { readArchitecture } from '../engine/architectures/registry.ts';
import { FileError, InputError } from '../engine/errors.ts';
import type { TensorPlace } from '../engine/safetensors.ts';
import { encodeHeader } from '../engine/safetensors.ts';
import { FileSet, isOwnName } from './file-set.ts';
import type { PublishedTensor, WeightDtype } from './published-shapes.ts';
import { publishedModel, publishedTensors } from './published-shapes.ts';
import { SafetensorsWriter } from './safetensors-writer.ts';
import { TensorFiller } from './tensor-filler.ts';

export interface MakeCheckpointOptions {
  /** A published model: gpt2-xl, EleutherAI/pythia-2.8b. */
  readonly like: string;
  /** The folder to write; it must be empty or not be there. */
  readonly out: string;
  /** Blocks, if not as many as published. */
  readonly layers?: number | undefined;
  /** Settings of config.json to change, by their names there, such as n_embd: for unpublished shapes. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** The dtype of the weights; by default that of the published model (F32 for GPT-2, F16 for Pythia, BF16 for most others). */
  readonly dtype?: WeightDtype | undefined;
  /** The same seed gives the same weights, whatever the number of layers and shards. 28 by default. */
  readonly seed?: number | undefined;
  /** Files to spread the tensors over; 1 by default. */
  readonly shards?: number | undefined;
  /** Called with the bytes of weights written so far, and of all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface MadeCheckpoint {
  readonly folder: string;
  /** File names, config.json last. */
  readonly files: readonly string[];
  /** The number of weights, without masks and other buffers. */
  readonly parameters: number;
  /** The size of all safetensors files together. */
  readonly bytes: number;
}

const CHUNK_BYTES = 4 * 2 ** 20;
/** More than any model has, and few enough for one header. */
const MAXIMUM_LAYERS = 1000;
/** What published configurations call the number of layers. */
const LAYER_KEYS = ['n_layer', 'num_hidden_layers'];

/**
 * Writes a checkpoint of a published model's exact shape (names, layout, buffers, configuration) with random weights:
 * normal with a deviation of 0.02, norm scales about 1. It streams, so the memory does not depend on the size. There is
 * no tokenizer in it: give token ids.
 *
 * @throws InputError if the options cannot be met, FileError if the files cannot be written, the signal's reason if it
 * is aborted. What was written is removed then.
 */
export async function makeCheckpoint(options: MakeCheckpointOptions): Promise<MadeCheckpoint> {
  const { like, out, seed = 28, shards = 1, signal } = options;
  const published = publishedModel(like);
  checkWhole('--seed', seed, 0, 2 ** 32 - 1);
  if (options.layers !== undefined) checkWhole('--layers', options.layers, 1, MAXIMUM_LAYERS);
  const settings = { ...published.config, ...options.settings };
  const config = configOf(settings, options.layers, options.dtype ?? published.dtype);
  const architecture = readArchitecture(config, `${out}/config.json`);
  const tensors = publishedTensors(architecture, options.dtype ?? published.dtype, published.prefix);
  const plan = planShards(tensors, shards);
  const bytes = plan.reduce((sum, shard) => sum + shard.fileSize, 0);

  signal?.throwIfAborted();
  await checkEmpty(out);
  const indexName = 'model.safetensors.index.json';
  // config.json last: without it the folder does not count as a model.
  const names = [...plan.map(({ fileName }) => fileName), ...(shards > 1 ? [indexName] : []), 'config.json'];
  await using files = await FileSet.open(out, names);
  await checkRoom(out, bytes);
  const total = tensorBytes(plan.flatMap((shard) => shard.places));
  let done = 0;
  const report = (written: number) => options.onProgress?.((done += written), total);
  const filler = new TensorFiller(options.dtype ?? published.dtype, seed, CHUNK_BYTES);
  for (const shard of plan) {
    await writeShard(files.place(shard.fileName), shard.tensors, filler, report, signal);
  }
  if (shards > 1) {
    const weight_map = Object.fromEntries(
      plan.flatMap((shard) => shard.tensors.map(({ name }) => [name, shard.fileName])),
    );
    await files.write(indexName, jsonText({ metadata: { total_size: total }, weight_map }, indexName));
  }
  await files.write('config.json', jsonText(config, 'config.json'));
  signal?.throwIfAborted();
  await files.commit();
  const weights = tensors.filter(({ content }) => content === 'weight' || content === 'norm-scale');
  return {
    folder: out,
    files: names,
    parameters: weights.reduce((sum, { shape }) => sum + elements(shape), 0),
    bytes,
  };
}

function checkWhole(flag: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InputError(`${flag} ${value} is not a whole number from ${min} to ${max}`);
}

function configOf(
  published: Readonly<Record<string, unknown>>,
  layers: number | undefined,
  dtype: WeightDtype,
): Record<string, unknown> {
  const torchDtypes = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;
  const config: Record<string, unknown> = { ...published, torch_dtype: torchDtypes[dtype] };
  if (layers !== undefined) config[LAYER_KEYS.find((key) => key in published)!] = layers;
  return config;
}

interface Shard {
  readonly fileName: string;
  readonly tensors: readonly PublishedTensor[];
  readonly places: readonly TensorPlace[];
  readonly fileSize: number;
}

/** Cuts the tensors, in their order, into a number of files of about the same size. No file is empty. */
function planShards(tensors: readonly PublishedTensor[], shards: number): Shard[] {
  checkWhole('--shards', shards, 1, tensors.length);
  const places = encodeHeader(tensors).tensors;
  const total = tensorBytes([...places.values()]);
  const groups: PublishedTensor[][] = Array.from({ length: shards }, () => []);
  let group = 0;
  let before = 0;
  for (const [index, tensor] of tensors.entries()) {
    const isFull = before >= (total * (group + 1)) / shards;
    const mustAdvance = tensors.length - index <= shards - 1 - group;
    if (group < shards - 1 && groups[group]!.length > 0 && (isFull || mustAdvance)) group++;
    groups[group]!.push(tensor);
    before += places.get(tensor.name)!.bytes;
  }
  const number = (value: number) => String(value).padStart(5, '0');
  return groups.map((group, index) => {
    const header = encodeHeader(group, { format: 'pt' });
    return {
      fileName:
        shards === 1 ? 'model.safetensors' : `model-${number(index + 1)}-of-${number(shards)}.safetensors`,
      tensors: group,
      places: [...header.tensors.values()],
      fileSize: header.fileSize,
    };
  });
}

/** @throws InputError if there is a file, or something in the folder other than what a killed run left */
async function checkEmpty(folder: string): Promise<void> {
  const status = await stat(folder).catch(() => undefined);
  if (status && !status.isDirectory()) throw new InputError(`${folder}: is a file; give a new folder`);
  const names = await readdir(folder).catch(() => []);
  if (!names.every(isOwnName))
    throw new InputError(`${folder}: is not empty; give a new folder for the checkpoint`);
}

/** @throws FileError if the disk has no room for the bytes */
async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes) return;
  throw FileError.at(
    folder,
    `the checkpoint takes ${bytes} bytes and the disk has ${bavail * bsize}; free some, or make fewer layers`,
  );
}

/** Writes one file, computing each chunk while the one before it goes to the disk. */
async function writeShard(
  path: string,
  tensors: readonly PublishedTensor[],
  filler: TensorFiller,
  report: (written: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const writer = await SafetensorsWriter.create(path, tensors, { format: 'pt' });
  let underWay: Promise<void> = Promise.resolve();
  try {
    for (const tensor of tensors) {
      for (const chunk of filler.chunks(tensor)) {
        await underWay;
        signal?.throwIfAborted();
        underWay = writer.append(tensor.name, chunk).then(() => report(chunk.byteLength));
        // The await above handles the failure. Until then it must not count as unhandled.
        underWay.catch(() => undefined);
      }
    }
    await underWay;
    signal?.throwIfAborted();
    await writer.commit();
  } catch (error) {
    await underWay.catch(() => undefined);
    await writer.abort();
    throw error;
  }
}

function tensorBytes(places: readonly TensorPlace[]): number {
  return places.reduce((sum, place) => sum + place.bytes, 0);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
