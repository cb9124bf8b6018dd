import type { ModelFiles } from '../../src/engine/files.ts';
import { bytesSource, readJson } from '../../src/engine/files.ts';
import { encodeHeader, readHeader } from '../../src/engine/safetensors.ts';

export interface RebuiltTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A small model in memory, to be changed at will. */
export interface RebuiltModel {
  config: Record<string, unknown>;
  tensors: Map<string, RebuiltTensor>;
  /** Name of the file that holds the tensors. */
  weightFile: string;
  /** Whether the folder can be listed. */
  isListed: boolean;
  /** Texts of further files, by name. */
  files: Record<string, string>;
}

/** The same model with whatever `change` did to it, as one safetensors file. */
export async function rebuiltFiles(
  files: ModelFiles,
  change: (model: RebuiltModel) => void,
): Promise<ModelFiles> {
  const source = (await files.open('model.safetensors'))!;
  const tensors = new Map<string, RebuiltTensor>();
  for (const [name, { dtype, shape, offset, bytes }] of (await readHeader(source)).tensors) {
    tensors.set(name, { dtype, shape, bytes: await source.read(offset, bytes) });
  }
  const config = (await readJson(files, 'config.json')) as Record<string, unknown>;
  const model: RebuiltModel = { config, tensors, weightFile: 'model.safetensors', isListed: true, files: {} };
  change(model);

  const declared = [...model.tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));
  const header = encodeHeader(declared);
  const weights = new Uint8Array(header.fileSize);
  weights.set(header.bytes);
  for (const [name, { offset }] of header.tensors) weights.set(model.tensors.get(name)!.bytes, offset);
  const contents = new Map<string, Uint8Array>([[model.weightFile, weights]]);
  const texts = { 'config.json': JSON.stringify(model.config), ...model.files };
  for (const [name, text] of Object.entries(texts)) contents.set(name, new TextEncoder().encode(text));
  return {
    name: 'folder',
    open: (name) => {
      const bytes = contents.get(name);
      return Promise.resolve(bytes && bytesSource(`folder/${name}`, bytes));
    },
    ...(model.isListed && { list: () => Promise.resolve([...contents.keys()]) }),
  };
}

/** Gives every tensor the name that `rename` makes of it. */
export function renameAll(model: RebuiltModel, rename: (name: string) => string): void {
  model.tensors = new Map([...model.tensors].map(([name, tensor]) => [rename(name), tensor]));
}

/** An F32 tensor as F64: the same numbers. */
export function asF64({ shape, bytes }: RebuiltTensor): RebuiltTensor {
  const values = Float64Array.from(new Float32Array(bytes.buffer));
  return { dtype: 'F64', shape, bytes: new Uint8Array(values.buffer) };
}

/** An F32 tensor with every number changed. */
export function mapped(
  tensor: RebuiltTensor,
  change: (value: number, index: number) => number,
): RebuiltTensor {
  const values = new Float32Array(tensor.bytes.slice().buffer).map(change);
  return { ...tensor, bytes: new Uint8Array(values.buffer) };
}
