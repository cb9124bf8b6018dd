import { FormatError } from './errors.ts';

/** What a safetensors file says of one tensor: its dtype, its shape, and what may be wrong with them. */

/** Bits of one element, for every dtype that the format knows. The engine computes with fewer. */
export const dtypeBits: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['C64', 64],
  ['F64', 64],
  ['I64', 64],
  ['U64', 64],
]);

/** What a tensor is, before it has a place in a file. */
export interface TensorDeclaration {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** Bytes of a tensor's elements. @throws FormatError for an unknown dtype or a size that no file can have. */
export function byteCount(tensor: TensorDeclaration, fileName: string): number {
  const fault = (problem: string) => tensorError(fileName, tensor.name, problem);
  const bits = bitsOf(tensor, fileName);
  if (!isIntegers(tensor.shape)) throw fault(BAD_SHAPE);
  // An extent of zero empties the tensor, however large the others are.
  const elements = tensor.shape.includes(0)
    ? 0
    : tensor.shape.reduce((product, extent) => product * extent, 1);
  const bytes = (elements * bits) / 8;
  if (!Number.isSafeInteger(elements * bits)) throw fault('is too large for any file');
  if (!Number.isInteger(bytes)) throw fault('does not end at a whole byte');
  return bytes;
}

export function bitsOf(tensor: TensorDeclaration, fileName: string): number {
  const bits = dtypeBits.get(tensor.dtype);
  if (bits === undefined) throw tensorError(fileName, tensor.name, `has the unknown dtype ${tensor.dtype}`);
  return bits;
}

export const BAD_SHAPE = 'must have a shape of non-negative integers';

export function tensorError(fileName: string, name: string, problem: string): FormatError {
  return new FormatError(`${fileName}: tensor ${name} ${problem}`, { subject: { kind: 'tensor', name } });
}

export function damagedTensor(fileName: string, name: string, problem: string): FormatError {
  return tensorError(fileName, name, `${problem}; the file is damaged`);
}

export function isIntegers(value: unknown): value is number[] {
  return (
    Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && (extent as number) >= 0)
  );
}
