import { InputError } from '../engine/errors.ts';
import type { TensorPlace } from '../engine/safetensors.ts';
import type { TensorDeclaration } from '../engine/safetensors-tensors.ts';
import { encodeHeader } from '../engine/safetensors.ts';
import { AtomicFile } from './atomic.ts';

/**
 * Writes a safetensors file in chunks, tensors in any order, without holding more than a chunk. The file appears at
 * commit(), and only if every byte of every tensor has been written.
 */
export class SafetensorsWriter {
  readonly #written = new Map<string, number>();

  private constructor(
    private readonly file: AtomicFile,
    private readonly tensors: ReadonlyMap<string, TensorPlace>,
    /** The size of the finished file, in bytes. */
    readonly fileSize: number,
  ) {}

  /**
   * @param metadata strings for `__metadata__`; {format: 'pt'} is what transformers asks of a model
   * @throws FormatError if the declarations cannot be a file, FileError if it cannot be made.
   */
  static async create(
    path: string,
    declarations: readonly TensorDeclaration[],
    metadata: Readonly<Record<string, string>> = {},
  ): Promise<SafetensorsWriter> {
    const header = encodeHeader(declarations, metadata);
    const file = await AtomicFile.create(path);
    await file.write(0, header.bytes);
    return new SafetensorsWriter(file, header.tensors, header.fileSize);
  }

  /**
   * Appends to a tensor: its bytes, little-endian and row-major, in as many chunks as its writer likes.
   * @throws InputError if there is no such tensor or it would get more bytes than its shape has; the file is given up.
   */
  append(name: string, chunk: ArrayBufferView): Promise<void> {
    return this.writeAt(name, this.#written.get(name) ?? 0, chunk);
  }

  /**
   * Writes a part of a tensor at any place, in bytes from the tensor's start: for tiles that come column by column.
   * Each byte is to be written once; the tensor is complete when as many bytes were written as it has.
   * @throws InputError if there is no such tensor or the part reaches beyond it; the file is given up.
   */
  async writeAt(name: string, offset: number, chunk: ArrayBufferView): Promise<void> {
    const place = this.tensors.get(name);
    const end = offset + chunk.byteLength;
    if (!place || end > place.bytes) {
      await this.abort();
      throw new InputError(
        place
          ? `${this.file.path}: tensor ${name} takes ${place.bytes} bytes, ${end} were written`
          : `${this.file.path}: tensor ${name} was not declared`,
      );
    }
    // Counted before the write is awaited, so that the chunks of one tensor may be handed over without waiting.
    this.#written.set(name, (this.#written.get(name) ?? 0) + chunk.byteLength);
    await this.file.write(
      place.offset + offset,
      new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength),
    );
  }

  /** @throws InputError if a tensor is not complete; the file is given up then. */
  async commit(): Promise<void> {
    for (const { name, bytes } of this.tensors.values()) {
      const written = this.#written.get(name) ?? 0;
      if (written === bytes) continue;
      await this.abort();
      throw new InputError(
        `${this.file.path}: tensor ${name} takes ${bytes} bytes, only ${written} were written`,
      );
    }
    await this.file.commit();
  }

  /** Removes what was written. Does nothing after commit(). */
  abort(): Promise<void> {
    return this.file.abort();
  }
}
