import type { Dtype } from './gpu/tensor.ts';

/** The exponent's bits of each element in a 32-bit word, by how elements are stored: the lowest element, then a second one. */
const EXPONENTS = {
  F32: [0x7f800000, 0],
  F16: [0x7c00, 0x7c000000],
  BF16: [0x7f80, 0x7f800000],
} as const;

/**
 * Whether there is a NaN or an infinity among elements: all bits of its exponent are set. It is what find-nonfinite.wgsl
 * looks for on the GPU.
 * @param stored as the GPU keeps them; an odd number of 16-bit elements may be the end of them
 */
export function holdsNonfinite(stored: Uint8Array<ArrayBuffer> | Float32Array, dtype: Dtype): boolean {
  if (dtype === 'I32') return false;
  const [low, high] = EXPONENTS[dtype];
  const bytes = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  if (high === 0) return hasAllBits(words, low, low);
  if (hasAllBits(words, low, high)) return true;
  if (aligned.length % 4 === 0) return false;
  const last = aligned.at(-2)! | (aligned.at(-1)! << 8);
  return (last & low) === low;
}

/**
 * Whether a word has all bits of one mask or of the other. Weights are long: four words at a time, by index, take a
 * twelfth of the time that an iterator takes.
 */
function hasAllBits(words: Uint32Array, one: number, other: number): boolean {
  const has = (word: number): boolean => (word & one) === one || (word & other) === other;
  const whole = words.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    if (has(words[i]!) || has(words[i + 1]!) || has(words[i + 2]!) || has(words[i + 3]!)) return true;
  }
  return words.subarray(whole).some(has);
}
