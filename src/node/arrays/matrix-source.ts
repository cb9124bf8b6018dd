import { decodeFloats } from '../engine/decode.ts';
import { FormatError, InputError } from '../engine/errors.ts';
import type { ByteSource } from '../engine/files.ts';
import { readHeader } from '../engine/safetensors.ts';
import type { TensorPlace } from '../engine/safetensors.ts';
import { openFile } from './files.ts';
import { beginsAsNpy, readNpy } from './npy.ts';

/** A matrix [rows, columns] in a file, or a stack of them, read a slice at a time. */
export interface MatrixSource extends AsyncDisposable {
  /** The file, and the tensor in it, for messages. */
  readonly name: string;
  /** The tensor's name; null in a .npy file, whose array has none. */
  readonly tensor: string | null;
  readonly slices: number;
  readonly rows: number;
  readonly columns: number;
  /** Whether it is a stack, even one of a single slice. */
  readonly isStack: boolean;
  /** Row-major, [rows · columns]. */
  read(slice: number): Promise<Float32Array<ArrayBuffer>>;
}

/**
 * Opens a .npy file, or a tensor of a safetensors file; F16, BF16 and F64 are read as float32.
 * @param tensorName needed where a safetensors file holds several tensors
 * @throws InputError if the tensor is not named or not there, or is no matrix and no stack of matrices
 * @throws FileError or FormatError if the file cannot be read
 */
export async function openMatrices(path: string, tensorName: string | undefined): Promise<MatrixSource> {
  const source = await openFile(path);
  try {
    const isNumpy = /\.npy$/i.test(path) || (await beginsAsNpy(source));
    return await (isNumpy ? openNpy(source, tensorName) : openSafetensors(source, tensorName));
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openNpy(source: ByteSource, tensorName: string | undefined): Promise<MatrixSource> {
  if (tensorName !== undefined) {
    throw new InputError(
      `--tensor ${tensorName}: ${source.name} is a .npy file, which holds one array; leave it out`,
    );
  }
  const { shape, values } = await readNpy(source);
  const extents = matrixExtents(shape, source.name);
  const elements = extents.rows * extents.columns;
  return {
    name: source.name,
    tensor: null,
    ...extents,
    read: (slice) => Promise.resolve(values.slice(slice * elements, (slice + 1) * elements)),
    [Symbol.asyncDispose]: () => source.close(),
  };
}

async function openSafetensors(source: ByteSource, tensorName: string | undefined): Promise<MatrixSource> {
  const { tensors } = await readHeader(source);
  const place = chooseTensor(tensors, tensorName, source.name);
  const name = `${source.name}: tensor ${place.name}`;
  decodeFloats(place.dtype, new Uint8Array(0), name); // refuses what are no floats before anything is read
  const extents = matrixExtents(place.shape, name);
  const bytes = place.bytes / extents.slices;
  return {
    name,
    tensor: place.name,
    ...extents,
    read: async (slice) =>
      decodeFloats(place.dtype, await source.read(place.offset + slice * bytes, bytes), name),
    [Symbol.asyncDispose]: () => source.close(),
  };
}

function chooseTensor(
  tensors: ReadonlyMap<string, TensorPlace>,
  name: string | undefined,
  fileName: string,
): TensorPlace {
  const names = [...tensors.keys()].sort().join(', ');
  if (name !== undefined) {
    const named = tensors.get(name);
    if (!named) throw new InputError(`--tensor ${name}: ${fileName} has no such tensor; it has ${names}`);
    return named;
  }
  const [only, ...others] = tensors.values();
  if (!only) throw new FormatError(`${fileName}: holds no tensor`);
  if (others.length > 0) {
    throw new InputError(`${fileName}: holds ${tensors.size} tensors; choose with --tensor one of ${names}`);
  }
  return only;
}

function matrixExtents(
  shape: readonly number[],
  name: string,
): Pick<MatrixSource, 'slices' | 'rows' | 'columns' | 'isStack'> {
  const isStack = shape.length === 3;
  const [slices, rows, columns] = isStack ? shape : [1, ...shape];
  if ((!isStack && shape.length !== 2) || !slices || !rows || !columns) {
    throw new InputError(
      `${name}: has shape [${shape.join(', ')}]; a matrix [T, d] or a stack [L, T, d] with no extent of 0 is needed`,
    );
  }
  return { slices, rows, columns, isStack };
}
