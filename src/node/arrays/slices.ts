import { FileError } from '../../engine/errors.ts';
import type { ByteSource } from '../../engine/files.ts';
import { machineMemory } from '../machine-memory.ts';
import type { ElementType, Numbers } from './elements.ts';

/** An array [slices, rows, columns] and how it lies in a file. */
export interface StoredMatrices {
  /** The file, and the tensor in it, for messages. */
  readonly name: string;
  readonly source: ByteSource;
  /** Bytes before the first element. */
  readonly offset: number;
  readonly elements: ElementType;
  /** Whether the first index runs fastest, not the last. */
  readonly fortranOrder: boolean;
  readonly slices: number;
  readonly rows: number;
  readonly columns: number;
}

/** Bytes read and decoded at once. */
const CHUNK_BYTES = 2 ** 23;
/** The maximum number of bytes of values in memory at once, if each slice is spread over the whole file. */
const SCATTERED_BYTES = 2 ** 28;
/** How often the whole file may be read for its scattered slices. */
const MAX_PASSES = 32;
/** Numbers of one slice that a typed array may take. */
const MAX_SLICE_BYTES = 2 ** 32 - 8;

/**
 * Reads an array slice by slice and holds a bounded part of it. If slices are small, it holds their neighbours. In Fortran
 * order it holds as many slices as fit 256 MiB, from one reading of the whole file.
 */
export class SliceReader {
  readonly #window: number;
  #first = 0;
  #held: Numbers | undefined;

  /** @throws FileError if one slice does not fit the memory, or the file would have to be read too often. */
  constructor(private readonly stored: StoredMatrices) {
    const { name, slices, rows, columns, elements, fortranOrder } = stored;
    const bytes = (elements.isWide ? 8 : 4) * rows * columns;
    const maxBytes = Math.min(MAX_SLICE_BYTES, machineMemory() / 2);
    if (bytes > maxBytes) {
      throw FileError.at(
        name,
        `one matrix of ${rows} x ${columns} takes ${bytes} bytes of memory, and at most ${Math.floor(maxBytes)} can be used; save fewer rows or columns`,
      );
    }
    const budget = fortranOrder && slices > 1 ? SCATTERED_BYTES : CHUNK_BYTES;
    this.#window = Math.min(slices, Math.max(1, Math.floor(budget / bytes)));
    if (fortranOrder && slices > MAX_PASSES * this.#window) {
      throw FileError.at(
        name,
        'is a large stack in Fortran order, which cannot be read a matrix at a time; save it with numpy.save(path, numpy.ascontiguousarray(array))',
      );
    }
  }

  /** The numbers of one slice, row-major [rows · columns]; they are the caller's to overwrite. Read slices in order. */
  async read(slice: number): Promise<Numbers> {
    const { slices, rows, columns } = this.stored;
    const size = rows * columns;
    if (!this.#held || slice < this.#first || slice >= this.#first + this.#held.length / size) {
      this.#held = undefined;
      const count = Math.min(this.#window, slices - slice);
      this.#held = await (this.stored.fortranOrder
        ? this.#gather(slice, count)
        : this.#readRange(slice * size, count * size));
      this.#first = slice;
    }
    const held = this.#held;
    const from = (slice - this.#first) * size;
    if (from + size === held.length) this.#held = undefined; // its last slice
    return held.length === size ? held : held.subarray(from, from + size);
  }

  /** `count` elements from number `first` on, as they lie in the file. */
  async #readRange(first: number, count: number): Promise<Numbers> {
    const { elements } = this.stored;
    if (count * elements.bytes <= CHUNK_BYTES) return await this.#decode(first, count);
    const values = elements.isWide ? new Float64Array(count) : new Float32Array(count);
    const step = CHUNK_BYTES / elements.bytes;
    for (let done = 0; done < count; done += step) {
      values.set(await this.#decode(first + done, Math.min(step, count - done)), done);
    }
    return values;
  }

  /** Slices [first, first + count) of an array in Fortran order: element (l, t, c) is number l + L (t + T c). */
  async #gather(first: number, count: number): Promise<Numbers> {
    const { elements, slices, rows, columns } = this.stored;
    const size = rows * columns;
    const values = elements.isWide ? new Float64Array(count * size) : new Float32Array(count * size);
    const step = CHUNK_BYTES / elements.bytes;
    let [slice, row, column] = [0, 0, 0];
    for (let done = 0; done < slices * size; done += step) {
      const chunk = await this.#decode(done, Math.min(step, slices * size - done));
      for (const value of chunk) {
        const place = slice - first;
        if (place >= 0 && place < count) values[place * size + row * columns + column] = value;
        slice += 1;
        if (slice < slices) continue;
        slice = 0;
        row += 1;
        if (row < rows) continue;
        row = 0;
        column += 1;
      }
    }
    return values;
  }

  async #decode(first: number, count: number): Promise<Numbers> {
    const { source, offset, elements } = this.stored;
    return elements.decode(await source.read(offset + first * elements.bytes, count * elements.bytes));
  }
}
