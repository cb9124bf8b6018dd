import { describeModel } from '../../src/engine/description.ts';
import type { ByteSource, ModelFiles } from '../../src/engine/files.ts';
import { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import type { RunOptions, RunResult } from '../../src/engine/model.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { memorySource } from './fixture-files.ts';

/** Everything that a run gives. */
export interface RecordedRun extends RunResult {
  /** 0 … L, each [B·T, width]. */
  readonly hiddenStates: readonly Float32Array[];
  readonly residualFinal: Float32Array;
}

/** Runs a batch and keeps all states. */
export async function recordRun(
  model: Model,
  sequences: readonly Int32Array[],
  options: Omit<RunOptions, 'onState'> = {},
): Promise<RecordedRun> {
  const hiddenStates: Float32Array[] = [];
  let residualFinal = new Float32Array();
  const result = await model.run(sequences, {
    ...options,
    onState: async ({ name, tensor }) => {
      const values = new Float32Array(await model.gpu.readFloats(tensor));
      if (name === 'hidden_states') hiddenStates.push(values);
      else residualFinal = values;
    },
  });
  return { ...result, hiddenStates, residualFinal };
}

export interface LoadedRun extends RecordedRun {
  readonly isResident: boolean;
  /** What was told on the way. */
  readonly notices: readonly string[];
}

/** Loads a model and runs a batch. */
export async function loadAndRecord(
  gpu: Gpu,
  files: ModelFiles,
  sequences: readonly Int32Array[],
  options: Omit<RunOptions, 'onState' | 'onNotice'> = {},
): Promise<LoadedRun> {
  const notices: string[] = [];
  const onNotice = (notice: string) => void notices.push(notice);
  const description = await describeModel(files, { onNotice });
  try {
    using model = await Model.load(gpu, description);
    const run = await recordRun(model, sequences, { ...options, onNotice });
    return { ...run, isResident: model.isResident, notices };
  } finally {
    await description.close();
  }
}

/** A runtime of its own on the same device, so that its limits and its count of bytes are its own. */
export function limitedGpu(gpu: Gpu, options: GpuOptions): Gpu {
  return new Gpu(gpu.device, gpu.adapter, options);
}

/** A memory limit that makes the weights stream: four bytes less than they take. */
export async function streamingLimit(gpu: Gpu, files: ModelFiles): Promise<number> {
  using own = limitedGpu(gpu, {});
  const description = await describeModel(files);
  using model = await Model.load(own, description);
  await description.close();
  if (!model.isResident) throw new Error(`${files.name} does not fit this device`);
  return own.allocatedBytes - 4;
}

/**
 * The same files with one tensor's header entry or content changed.
 * @param change receives the header's JSON text and returns one of equal length, or changes the tensor's bytes
 */
export function changedFiles(
  files: ModelFiles,
  change: { readonly header: (text: string) => string } | { readonly tensor: string; readonly row: number },
  bytesOfNaN: readonly number[] = [0, 0, 0xc0, 0x7f],
): ModelFiles {
  const changed = async (source: ByteSource): Promise<ByteSource> => {
    const bytes = await source.read(0, source.size);
    if ('header' in change) {
      const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
      const text = change.header(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
      bytes.set(new TextEncoder().encode(text), 8);
      return memorySource(source.name, bytes);
    }
    const entry = (await readHeader(source)).tensors.get(change.tensor);
    if (!entry) throw new Error(`${source.name} has no ${change.tensor} to change`);
    bytes.set(bytesOfNaN, entry.offset + change.row * (entry.bytes / entry.shape[0]!));
    return memorySource(source.name, bytes);
  };
  return {
    name: files.name,
    async open(fileName) {
      const source = await files.open(fileName);
      return source && fileName.endsWith('.safetensors') ? changed(source) : source;
    },
  };
}
