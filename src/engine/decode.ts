import { FormatError } from './errors.ts';

/** The dtypes that decodeFloats widens or narrows to float32. */
export const floatDtypes: readonly string[] = ['F32', 'F16', 'BF16', 'F64'];

/**
 * Little-endian elements of a safetensors or npy file as float32. F16 and BF16 are exact; F64 is rounded to the
 * nearest float32.
 *
 * @param dtype of safetensors: F32, F16, BF16 or F64
 * @param where the file and tensor, for messages
 * @throws FormatError for any other dtype.
 */
export function decodeFloats(dtype: string, bytes: Uint8Array, where: string): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (dtype) {
    case 'F32':
      // A copy, since the bytes may begin anywhere. Every platform that has WebGPU is little-endian.
      return new Float32Array(new Uint8Array(bytes).buffer);
    case 'F16':
      return collect(bytes.byteLength / 2, (index) => widenHalf(view.getUint16(2 * index, true)));
    case 'BF16': {
      const widened = new Uint32Array(bytes.byteLength / 2);
      for (let index = 0; index < widened.length; index++)
        widened[index] = view.getUint16(2 * index, true) << 16;
      return new Float32Array(widened.buffer);
    }
    case 'F64':
      return collect(bytes.byteLength / 8, (index) => view.getFloat64(8 * index, true));
    default:
      throw new FormatError(
        `${where} has dtype ${dtype}; only ${floatDtypes.join(', ')} can be read as numbers`,
        { code: 'tensor-dtype' },
      );
  }
}

function collect(length: number, valueAt: (index: number) => number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(length);
  for (let index = 0; index < length; index++) values[index] = valueAt(index);
  return values;
}

/** IEEE 754 binary16 to a number. */
function widenHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}
