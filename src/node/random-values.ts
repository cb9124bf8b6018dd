import type { WeightDtype } from './published-shapes.ts';

/** The bits of elements of one dtype. */
export type ElementBits = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Distinct values that the generator draws from: few enough for the processor's first-level cache. */
const TABLE_SIZE = 8192;

/**
 * Quantiles of the normal distribution in no particular order, by Box and Muller's transform of evenly spread radii and of
 * angles a golden section apart. Each comes with its negative, so the mean is exactly zero.
 */
function normalTable(): Float64Array {
  const goldenSection = (Math.sqrt(5) - 1) / 2;
  const table = new Float64Array(TABLE_SIZE);
  const half = TABLE_SIZE / 2;
  let squares = 0;
  for (let index = 0; index < half; index++) {
    const value =
      Math.sqrt(-2 * Math.log((index + 0.5) / half)) * Math.cos(2 * Math.PI * index * goldenSection);
    table[2 * index] = value;
    table[2 * index + 1] = -value;
    squares += 2 * value * value;
  }
  const scale = Math.sqrt(TABLE_SIZE / squares);
  return table.map((value) => value * scale);
}

/** Normally distributed values of a mean and a standard deviation, as the bits of a dtype. */
export function normalBits(dtype: WeightDtype, mean: number, deviation: number): ElementBits {
  return encodeBits(
    dtype,
    normalTable().map((value) => mean + deviation * value),
  );
}

/** Rounds numbers to a dtype, to nearest and even. What is too large becomes infinite. */
export function encodeBits(dtype: WeightDtype, values: ArrayLike<number>): ElementBits {
  const words = new Uint32Array(Float32Array.from(values).buffer);
  switch (dtype) {
    case 'F32':
      return words;
    case 'BF16':
      return Uint16Array.from(words, (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16);
    case 'F16':
      return Uint16Array.from(values, halfBits);
  }
}

/** A number to IEEE 754 binary16. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  // Units in the last place: subnormals share theirs with the smallest normal numbers. The fraction's carry into the
  // exponent is what the format intends.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const units = roundToEven(magnitude / 2 ** (exponent - 10));
  return sign | (((exponent + 14) << 10) + units);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * A stream of values drawn from a table, the same for the same seed and name wherever and in whatever chunks it is
 * drawn. The generator is xoshiro128++ of Blackman and Vigna (https://prng.di.unimi.it), seeded through the finaliser of
 * MurmurHash3.
 */
export class RandomStream {
  readonly #state = new Uint32Array(4);

  constructor(seed: number, name: string) {
    let hash = seed | 0;
    for (let index = 0; index < name.length; index++)
      hash = mix(Math.imul(hash, 31) + name.charCodeAt(index));
    for (let word = 0; word < 4; word++) {
      hash = mix(hash + 0x9e3779b9);
      this.#state[word] = hash;
    }
    // A state of all zeros would never change.
    this.#state[3]! |= 1;
  }

  /** Fills the target, two elements per random word. A target of odd length must be the last of its stream. */
  fill(target: ElementBits, table: ElementBits): void {
    let [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    const pairs = target.length - (target.length % 2);
    for (let index = 0; index < target.length; index += 2) {
      const sum = (a + d) | 0;
      const word = (((sum << 7) | (sum >>> 25)) + a) | 0;
      const shifted = b << 9;
      c ^= a;
      d ^= b;
      b ^= c;
      a ^= d;
      c ^= shifted;
      d = (d << 11) | (d >>> 21);
      target[index] = table[word & (TABLE_SIZE - 1)]!;
      if (index < pairs) target[index + 1] = table[word >>> 19]!;
    }
    this.#state.set([a, b, c, d]);
  }
}

/** The finaliser of MurmurHash3: every bit of the result depends on every bit of the word. */
function mix(word: number): number {
  let hash = word | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
