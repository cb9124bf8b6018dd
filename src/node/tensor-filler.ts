import type { PublishedTensor, WeightDtype } from './published-shapes.ts';
import type { ElementBits } from './random-values.ts';
import { encodeBits, normalBits, RandomStream } from './random-values.ts';

/** The deviation that GPT-2 and Pythia initialise their weights with. */
const DEVIATION = 0.02;

/**
 * Makes the bytes of a checkpoint's tensors, chunk by chunk. Two buffers take turns, so a chunk stays as it is while the
 * next one is made, and no longer.
 */
export class TensorFiller {
  readonly #buffers: readonly [ArrayBuffer, ArrayBuffer];
  readonly #weights: ElementBits;
  readonly #scales: ElementBits;
  #turn = 0;

  constructor(
    private readonly dtype: WeightDtype,
    private readonly seed: number,
    /** A multiple of 8. */
    private readonly chunkBytes: number,
  ) {
    this.#buffers = [new ArrayBuffer(chunkBytes), new ArrayBuffer(chunkBytes)];
    this.#weights = normalBits(dtype, 0, DEVIATION);
    this.#scales = normalBits(dtype, 1, DEVIATION);
  }

  /** The bytes of a tensor, in order. */
  *chunks(tensor: PublishedTensor): Generator<Uint8Array<ArrayBuffer> | ElementBits> {
    const count = tensor.shape.reduce((product, extent) => product * extent, 1);
    switch (tensor.content) {
      case 'weight':
        return yield* this.#random(tensor.name, count, this.#weights);
      case 'norm-scale':
        return yield* this.#random(tensor.name, count, this.#scales);
      case 'causal-mask':
        return yield* this.#causalMask(tensor.dtype, tensor.shape.at(-1)!);
      default:
        return yield encodeBits(tensor.dtype as WeightDtype, tensor.content);
    }
  }

  *#random(name: string, count: number, table: ElementBits): Generator<ElementBits> {
    const stream = new RandomStream(this.seed, name);
    const perChunk = this.chunkBytes / table.BYTES_PER_ELEMENT;
    for (let first = 0; first < count; first += perChunk) {
      const chunk = this.#bits(Math.min(perChunk, count - first));
      stream.fill(chunk, table);
      yield chunk;
    }
  }

  /** Ones on and below the diagonal: row t says which tokens token t may look at. */
  *#causalMask(dtype: string, size: number): Generator<Uint8Array<ArrayBuffer> | ElementBits> {
    const one = dtype === 'U8' ? 1 : encodeBits(this.dtype, [1])[0]!;
    const rowBytes = size * (dtype === 'U8' ? 1 : this.#weights.BYTES_PER_ELEMENT);
    const rowsPerChunk = Math.floor(this.chunkBytes / rowBytes);
    for (let first = 0; first < size; first += rowsPerChunk) {
      const rows = Math.min(rowsPerChunk, size - first);
      const chunk =
        dtype === 'U8' ? new Uint8Array(this.#nextBuffer(), 0, rows * size) : this.#bits(rows * size);
      chunk.fill(0);
      for (let row = 0; row < rows; row++) chunk.fill(one, row * size, row * size + first + row + 1);
      yield chunk;
    }
  }

  #bits(length: number): ElementBits {
    const buffer = this.#nextBuffer();
    return this.dtype === 'F32' ? new Uint32Array(buffer, 0, length) : new Uint16Array(buffer, 0, length);
  }

  #nextBuffer(): ArrayBuffer {
    this.#turn = 1 - this.#turn;
    return this.#buffers[this.#turn]!;
  }
}
