/** Exponents from here on are far from where products of weights and activations leave float32's normal range: 2⁻¹⁰⁰. */
const SURE_EXPONENT = 27;

/**
 * Looks for numbers of a weight below float32's normal range (2⁻¹²⁶), which GPUs may take for 0. They matter only if the
 * weight has no larger numbers. The first number of ordinary size ends the search, so ordinary weights cost nothing.
 */
export class TinyNumbers {
  #isOver: boolean;
  #found = false;

  /** @param dtype of the file; the smallest F16 is a normal float32 */
  constructor(private readonly dtype: string) {
    this.#isOver = dtype !== 'F32' && dtype !== 'BF16' && dtype !== 'F64';
  }

  /** Whether some of the numbers are too small to be computed with, and none is large enough for that not to matter. */
  get found(): boolean {
    return this.#found && !this.#isOver;
  }

  /** @param bytes whole elements, little-endian */
  look(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isOver) return;
    if (this.dtype === 'F64') this.#lookAtDoubles(new Float64Array(aligned(bytes, 8)));
    else if (this.dtype === 'F32') this.#lookAtBits(new Uint32Array(aligned(bytes, 4)), 23);
    else this.#lookAtBits(new Uint16Array(aligned(bytes, 2)), 7);
  }

  /** @param fraction how many bits follow the eight of the exponent */
  #lookAtBits(words: Uint32Array | Uint16Array, fraction: number): void {
    const magnitude = 2 ** (8 + fraction) - 1;
    const [normal, sure] = [2 ** fraction, SURE_EXPONENT * 2 ** fraction];
    for (const word of words) {
      const bits = word & magnitude;
      if (bits >= sure) {
        this.#isOver = true;
        return;
      }
      if (bits > 0 && bits < normal) this.#found = true;
    }
  }

  #lookAtDoubles(values: Float64Array): void {
    for (const value of values) {
      const size = Math.abs(value);
      if (size >= 2 ** (SURE_EXPONENT - 127)) {
        this.#isOver = true;
        return;
      }
      if (size > 0 && size < 2 ** -126) this.#found = true;
    }
  }
}

/** The bytes, in a buffer of their own if they do not lie at a multiple of an element's size. */
function aligned(bytes: Uint8Array<ArrayBuffer>, size: number): ArrayBuffer {
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return isWhole && bytes.byteLength % size === 0 ? bytes.buffer : bytes.slice().buffer;
}
