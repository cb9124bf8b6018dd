import type { MatrixSource } from './matrices.ts';

/** The formats that weights are stored in, in the order of the kernels' codes. */
export const weightFormats = ['F32', 'F16', 'BF16'] as const;
export type WeightFormat = (typeof weightFormats)[number];

/** A weight as its file holds it, and the numbers that it means. */
export interface PackedWeights {
  readonly packed: Float32Array | Uint16Array;
  readonly values: Float64Array;
}

/** IEEE 754 binary16: sign, 5 bits of exponent with bias 15, 10 bits of fraction. */
export function valueOfHalf(bits: number): number {
  const sign = bits >> 15 === 1 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = (bits & 1023) / 1024;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -14 : sign * (1 + fraction) * 2 ** (exponent - 15);
}

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** bfloat16: the upper half of a float32. */
export function valueOfBrainFloat(bits: number): number {
  word[0] = bits << 16;
  return float[0]!;
}

/** Random weights between about 2⁻⁸ and 4 in magnitude, every eighth F16 subnormal. */
export function randomWeights(source: MatrixSource, count: number, format: WeightFormat): PackedWeights {
  if (format === 'F32') {
    const packed = source.random(1, count);
    return { packed, values: Float64Array.from(packed) };
  }
  const [exponentBits, fractionBits, lowest, decode] =
    format === 'F16' ? [5, 10, 7, valueOfHalf] : [8, 7, 119, valueOfBrainFloat];
  const bits = (limit: number) => Math.floor(source.uniform() * limit);
  const packed = Uint16Array.from({ length: count }, (_, index) => {
    const isSubnormal = format === 'F16' && index % 8 === 3;
    const exponent = isSubnormal ? 0 : lowest + bits(10);
    const sign = bits(2) << (exponentBits + fractionBits);
    return sign | (exponent << fractionBits) | bits(2 ** fractionBits);
  });
  return { packed, values: Float64Array.from(packed, decode) };
}
