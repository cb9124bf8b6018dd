import { LaminarError } from '../errors.ts';

/** How one element is stored. F16 and BF16 stay packed, two to a 32-bit word, and are widened in the kernel. */
export type Dtype = 'F32' | 'F16' | 'BF16' | 'I32';

export const bytesPerElement: Readonly<Record<Dtype, number>> = { F32: 4, F16: 2, BF16: 2, I32: 4 };

/** What frees buffers: the Gpu, which counts them. */
export interface BufferOwner {
  free(buffer: GPUBuffer): void;
}

/** A run of whole rows of a tensor, in a buffer of its own. */
export interface TensorPart {
  readonly buffer: GPUBuffer;
  readonly firstRow: number;
  readonly rows: number;
}

/**
 * A shape, a dtype and the GPU buffers that hold the elements, row-major.
 *
 * Most tensors have one part. One that is larger than a storage binding may be is split by rows (of its first
 * dimension). The tensor owns its buffers: `dispose()` (or `using`) frees them, and a second call does nothing.
 */
export class Tensor implements Disposable {
  #disposed = false;

  constructor(
    private readonly owner: BufferOwner,
    readonly label: string,
    readonly shape: readonly number[],
    readonly dtype: Dtype,
    readonly parts: readonly TensorPart[],
  ) {}

  /** Number of elements. */
  get size(): number {
    return elementCount(this.shape);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** The one buffer of a tensor that is not split. @throws LaminarError if it is split or freed. */
  get buffer(): GPUBuffer {
    if (this.#disposed) throw new LaminarError(`tensor ${this.label} was used after it was freed`);
    const [part, ...others] = this.parts;
    if (!part || others.length > 0) {
      throw new LaminarError(
        `tensor ${this.label} is split into ${this.parts.length} parts: use them one by one`,
      );
    }
    return part.buffer;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const part of this.parts) this.owner.free(part.buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}
