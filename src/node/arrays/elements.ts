import { decodeFloats } from '../../engine/decode.ts';

/** Numbers of a file: float32 where that holds the type, else float64. */
export type Numbers = Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;

/** How the elements of an array lie in a file. */
export interface ElementType {
  /** As the file calls it: `<f8`, `BF16`. */
  readonly name: string;
  readonly bytes: number;
  readonly isFloat: boolean;
  /** Whether the numbers need float64. */
  readonly isWide: boolean;
  /** Whole elements to numbers; the bytes may be overwritten. */
  decode(bytes: Uint8Array<ArrayBuffer>): Numbers;
}

/** safetensors' names for the types that can be measured, bytes of each, and what reads its little-endian bytes. */
const decoders: Readonly<
  Record<string, readonly [bytes: number, decode: (bytes: Uint8Array<ArrayBuffer>) => Numbers]>
> = {
  F64: [8, (bytes) => new Float64Array(aligned(bytes))],
  F32: [4, (bytes) => new Float32Array(aligned(bytes))],
  F16: [2, (bytes) => decodeFloats('F16', bytes, 'F16')],
  BF16: [2, (bytes) => decodeFloats('BF16', bytes, 'BF16')],
  I8: [1, (bytes) => Float32Array.from(new Int8Array(aligned(bytes)))],
  U8: [1, (bytes) => Float32Array.from(bytes)],
  I16: [2, (bytes) => Float32Array.from(new Int16Array(aligned(bytes)))],
  U16: [2, (bytes) => Float32Array.from(new Uint16Array(aligned(bytes)))],
  I32: [4, (bytes) => Float64Array.from(new Int32Array(aligned(bytes)))],
  U32: [4, (bytes) => Float64Array.from(new Uint32Array(aligned(bytes)))],
  I64: [8, (bytes) => toNumbers(new BigInt64Array(aligned(bytes)))],
  U64: [8, (bytes) => toNumbers(new BigUint64Array(aligned(bytes)))],
  BOOL: [1, (bytes) => Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1))],
};
const wideDtypes: ReadonlySet<string> = new Set(['F64', 'I32', 'U32', 'I64', 'U64']);
const floatDtypes: ReadonlySet<string> = new Set(['F64', 'F32', 'F16', 'BF16']);

/** The types that can be measured, for messages. */
export const measurableDtypes = Object.keys(decoders).join(', ');

const numpyKinds: Readonly<Record<string, string>> = { f: 'F', i: 'I', u: 'U' };

/** A type of a safetensors file; undefined if it cannot be measured. */
export function safetensorsElements(dtype: string): ElementType | undefined {
  if (!Object.hasOwn(decoders, dtype)) return undefined;
  const [bytes, decode] = decoders[dtype]!;
  return { name: dtype, bytes, isFloat: floatDtypes.has(dtype), isWide: wideDtypes.has(dtype), decode };
}

/** A numpy type such as `<f8`, `>i4` or `|b1`, in either order of bytes; undefined if it cannot be measured. */
export function numpyElements(descr: string): ElementType | undefined {
  const [, order, kind, size] = /^([<>=|]?)([fiub])([1248])$/.exec(descr) ?? [];
  if (kind === undefined || size === undefined) return undefined;
  if (kind === 'b' && size !== '1') return undefined;
  const type = safetensorsElements(kind === 'b' ? 'BOOL' : `${numpyKinds[kind]}${8 * Number(size)}`);
  if (!type) return undefined;
  const decode =
    order === '>' ? (bytes: Uint8Array<ArrayBuffer>) => type.decode(swapped(bytes, type.bytes)) : type.decode;
  return { ...type, name: descr, decode };
}

/** The bytes in a buffer of their own, or as they are if they fill their buffer. */
function aligned(bytes: Uint8Array<ArrayBuffer>): ArrayBuffer {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

function toNumbers(integers: BigInt64Array | BigUint64Array): Float64Array<ArrayBuffer> {
  const numbers = new Float64Array(integers.length);
  for (let index = 0; index < numbers.length; index++) numbers[index] = Number(integers[index]);
  return numbers;
}

function swapped(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
  return bytes;
}
