import { decodeFloats } from '../engine/decode.ts';
import { FormatError } from '../engine/errors.ts';
import type { ByteSource } from '../engine/files.ts';

/** A matrix [T, d] or a stack of them [L, T, d]. */
export interface NumpyArray {
  readonly shape: readonly number[];
  /** Row-major, whatever the order in the file. */
  readonly values: Float32Array<ArrayBuffer>;
  /** As in the file: F16, F32 or F64. */
  readonly dtype: string;
}

/** \x93NUMPY */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const PREAMBLE_BYTES = 12;
const MAXIMUM_HEADER_BYTES = 2 ** 20;
/** Elements decoded at once, so that the file's own bytes are never all in memory beside the result. */
const CHUNK_ELEMENTS = 2 ** 20;

/** numpy's type codes to those of safetensors, and bytes of one element. `=` and `|` cannot stand before these. */
const dtypes: ReadonlyMap<string, { dtype: string; bytes: number }> = new Map([
  ['<f2', { dtype: 'F16', bytes: 2 }],
  ['<f4', { dtype: 'F32', bytes: 4 }],
  ['<f8', { dtype: 'F64', bytes: 8 }],
]);

/** Whether a file is a .npy file, whatever its name. */
export async function beginsAsNpy(source: ByteSource): Promise<boolean> {
  const start = await source.read(0, Math.min(MAGIC.length, source.size));
  return MAGIC.every((byte, index) => start[index] === byte);
}

/**
 * Reads a .npy file that holds a matrix or a stack of matrices of floats. `<f8` is rounded to float32, which is what
 * the engine computes with. Format versions 1 to 3:
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * @throws FormatError naming the file if it is truncated or malformed, or holds something else.
 */
export async function readNpy(source: ByteSource): Promise<NumpyArray> {
  const { headerText, dataStart } = await readPreamble(source);
  const { descr, fortranOrder, shape } = parseHeader(headerText, source.name);
  const type = dtypes.get(descr);
  if (!type) {
    throw new FormatError(
      `${source.name}: holds ${descr}, not little-endian floats; save it with numpy.save(path, array.astype('<f4'))`,
    );
  }
  if (shape.length !== 2 && shape.length !== 3) {
    throw new FormatError(
      `${source.name}: has shape (${shape.join(', ')}); a matrix [T, d] or a stack of matrices [L, T, d] is needed`,
    );
  }
  const count = shape.reduce((product, extent) => product * extent, 1);
  const end = dataStart + count * type.bytes;
  if (!Number.isSafeInteger(end) || end > source.size) {
    throw new FormatError(
      `${source.name}: is truncated (its shape asks for ${end} bytes, the file has ${source.size})`,
    );
  }
  if (end < source.size) {
    throw new FormatError(
      `${source.name}: has ${source.size - end} bytes after its array; save one array a file`,
    );
  }

  const stored = new Float32Array(count);
  for (let first = 0; first < count; first += CHUNK_ELEMENTS) {
    const elements = Math.min(CHUNK_ELEMENTS, count - first);
    const bytes = await source.read(dataStart + first * type.bytes, elements * type.bytes);
    stored.set(decodeFloats(type.dtype, bytes, source.name), first);
  }
  return { shape, values: fortranOrder ? toRowMajor(stored, shape) : stored, dtype: type.dtype };
}

async function readPreamble(source: ByteSource): Promise<{ headerText: string; dataStart: number }> {
  const preamble = await source.read(0, Math.min(PREAMBLE_BYTES, source.size));
  if (!MAGIC.every((byte, index) => preamble[index] === byte)) {
    throw new FormatError(`${source.name}: is not a .npy file; save the array with numpy.save`);
  }
  if (preamble.length < PREAMBLE_BYTES)
    throw new FormatError(`${source.name}: is truncated within its header`);
  const version = preamble[6]!;
  if (version < 1 || version > 3) {
    throw new FormatError(`${source.name}: is .npy format ${version}; versions 1 to 3 can be read`);
  }
  const view = new DataView(preamble.buffer);
  const headerStart = version === 1 ? 10 : 12;
  const headerBytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerBytes > MAXIMUM_HEADER_BYTES) {
    throw new FormatError(`${source.name}: its .npy header claims ${headerBytes} bytes; the file is damaged`);
  }
  if (headerStart + headerBytes > source.size)
    throw new FormatError(`${source.name}: is truncated within its header`);
  const header = await source.read(headerStart, headerBytes);
  // Version 3 is UTF-8 and the others latin-1; the types that can be read are ASCII in both.
  return { headerText: new TextDecoder('latin1').decode(header), dataStart: headerStart + headerBytes };
}

interface NumpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** The header is a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
function parseHeader(text: string, name: string): NumpyHeader {
  const descr = /['"]descr['"]\s*:\s*(?:(['"])([^'"]*)\1|(\[))/.exec(text);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text);
  const shape = /['"]shape['"]\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (!descr || !order || !shape)
    throw new FormatError(`${name}: its .npy header cannot be read; the file is damaged`);
  if (descr[3]) {
    throw new FormatError(
      `${name}: holds a structured array; save one plain array of floats with numpy.save`,
    );
  }
  const extents = shape[1]!
    .split(',')
    .map((extent) => extent.replace('L', '').trim())
    .filter((extent) => extent !== '')
    .map(Number);
  if (!extents.every((extent) => Number.isSafeInteger(extent))) {
    throw new FormatError(
      `${name}: its .npy header has the impossible shape (${shape[1]}); the file is damaged`,
    );
  }
  return { descr: descr[2]!, fortranOrder: order[1] === 'True', shape: extents };
}

/** Fortran order has its first index run fastest; C order its last. */
function toRowMajor(stored: Float32Array, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const [slices, rows, columns] =
    shape.length === 3 ? (shape as [number, number, number]) : [1, shape[0]!, shape[1]!];
  const values = new Float32Array(stored.length);
  let next = 0;
  for (let slice = 0; slice < slices; slice++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        values[next++] = stored[slice + slices * (row + rows * column)]!;
      }
    }
  }
  return values;
}
