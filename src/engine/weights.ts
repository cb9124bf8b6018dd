import type { TensorEntry } from './checkpoint.ts';
import { decodeFloats, floatDtypes } from './decode.ts';
import { CheckpointError, NumericalError } from './errors.ts';
import { holdsNonfinite } from './holds-nonfinite.ts';
import { recordFindNonfinite } from './find-nonfinite.ts';
import type { Gpu } from './gpu/gpu.ts';
import { bytesPerElement, elementCount } from './gpu/tensor.ts';
import type { Dtype, Tensor } from './gpu/tensor.ts';
import { TinyNumbers } from './tiny-numbers.ts';
import { quantisedMessage } from './weight-names.ts';

/** A weight of a model: where it lies in a checkpoint, and how it is kept on the GPU. */
export interface Weight {
  /** Its whole name in the checkpoint. */
  readonly name: string;
  readonly shape: readonly number[];
  /** On the GPU. Matrices stay packed as they are stored; biases, norms and F64 become F32 on the way. */
  readonly dtype: Dtype;
  readonly entry: TensorEntry;
}

/** Bytes read from a file and handed to the GPU at once. */
const CHUNK_BYTES = 8 * 2 ** 20;
/** Bytes handed over before waiting for the GPU, which keeps copies of them until it has them. */
const BYTES_IN_FLIGHT = 64 * 2 ** 20;
/** What quantised weights are stored as. */
const INTEGER_DTYPES = /^([UI]\d+|F[468]_|F4$)/;

/** @throws CheckpointError unless the tensor has the shape, and a dtype that can be computed with. */
export function weightOf(entry: TensorEntry, shape: readonly number[]): Weight {
  const { name, dtype } = entry;
  const where = `tensor ${name} in ${entry.source.name}`;
  if (!floatDtypes.includes(dtype)) {
    if (!INTEGER_DTYPES.test(dtype)) {
      throw new CheckpointError(`${where} is ${dtype}; Laminar reads ${floatDtypes.join(', ')} weights`, {
        code: 'tensor-dtype',
        subject: { kind: 'tensor', name },
      });
    }
    throw new CheckpointError(quantisedMessage(entry.source.name, `tensor ${name} is ${dtype}`), {
      code: 'weights-quantised',
      subject: { kind: 'tensor', name },
    });
  }
  if (entry.shape.join() !== shape.join()) {
    throw new CheckpointError(
      `${where} has shape [${entry.shape.join(', ')}], where config.json needs ` +
        `[${shape.join(', ')}]; check that both belong to the same model`,
      { code: 'tensor-shape', subject: { kind: 'tensor', name } },
    );
  }
  return { name, shape, entry, dtype: shape.length === 1 || dtype === 'F64' ? 'F32' : (dtype as Dtype) };
}

/** Bytes that a weight takes on the GPU. */
export function weightBytes({ shape, dtype }: Weight): number {
  return bytesPerElement[dtype] * elementCount(shape);
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes that just reached the GPU. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
  /** Told of a weight whose numbers are all too small for float32, so that the GPU may take them for 0. */
  readonly onTiny?: ((weight: Weight) => void) | undefined;
}

/** Brings weights from a checkpoint's files to the GPU, in ranges, and looks for NaN and infinities among them. */
export class WeightReader {
  #inFlight = 0;
  /** Tensors whose numbers passed through the host: whether one was NaN or infinite. */
  readonly #searched = new WeakMap<Tensor, boolean>();

  constructor(private readonly gpu: Gpu) {}

  /**
   * Loads weights whole; the caller owns the tensors.
   * @throws FileError if a file fails, NumericalError naming a weight with a NaN or an infinity in it, the signal's
   * reason if it aborts. Nothing stays allocated after a throw.
   */
  async load<Role extends string>(
    weights: Readonly<Record<Role, Weight>>,
    options: ReadOptions = {},
  ): Promise<Record<Role, Tensor>> {
    const loaded: Partial<Record<Role, Tensor>> = {};
    const tensors: Tensor[] = [];
    const roles = Object.keys(weights) as Role[];
    try {
      // All memory is taken at once, before the first wait, so that others see at once what is left.
      for (const role of roles) {
        const { name, shape, dtype } = weights[role];
        tensors.push((loaded[role] = this.gpu.tensor(name, shape, dtype)));
      }
      const tiny = roles.map((role) => new TinyNumbers(weights[role].entry.dtype));
      const pieces = roles.flatMap((role, index) => piecesOf(tensors[index]!, weights[role], 0, tiny[index]));
      await this.#fill(pieces, options);
      for (const [index, role] of roles.entries()) if (tiny[index]!.found) options.onTiny?.(weights[role]);
      await this.checkFinite(
        tensors,
        roles.map((role) => weights[role]),
      );
    } catch (error) {
      for (const tensor of tensors) tensor.dispose();
      throw error;
    }
    return loaded as Record<Role, Tensor>;
  }

  /** Loads rows `firstRow` … `firstRow + rows` of a matrix, packed; the caller owns the tensor. */
  async loadRows(weight: Weight, firstRow: number, rows: number, options: ReadOptions = {}): Promise<Tensor> {
    const tensor = this.gpu.tensor(weight.name, [rows, ...weight.shape.slice(1)], weight.dtype);
    try {
      await this.#fill(piecesOf(tensor, weight, firstRow), options);
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  /**
   * @param weights those that the tensors hold, or rows of
   * @throws NumericalError naming the first weight that holds a NaN or an infinity.
   */
  async checkFinite(tensors: readonly Tensor[], weights: readonly Weight[]): Promise<void> {
    if (tensors.every((tensor) => this.#searched.has(tensor))) {
      const bad = weights[tensors.findIndex((tensor) => this.#searched.get(tensor) === true)];
      if (bad) throw notFinite(bad);
      return;
    }
    const found = this.gpu.allocate('nonfinite flags', 4 * tensors.length);
    try {
      const recorder = this.gpu.recorder();
      tensors.forEach((tensor, slot) => {
        for (const part of tensor.parts) {
          const elements = (tensor.size / (tensor.shape[0] ?? 1)) * part.rows;
          recordFindNonfinite(recorder, part.buffer, elements, tensor.dtype, { buffer: found, slot });
        }
      });
      recorder.submit();
      const flags = new Uint32Array(await this.gpu.readBytes(found, 0, 4 * tensors.length));
      const bad = weights[flags.findIndex((flag) => flag !== 0)];
      if (bad) throw notFinite(bad);
    } finally {
      this.gpu.free(found);
    }
  }

  #search(tensor: Tensor, stored: Uint8Array<ArrayBuffer> | Float32Array): void {
    if (this.#searched.get(tensor) === true) return;
    this.#searched.set(tensor, holdsNonfinite(stored, tensor.dtype));
  }

  /** Copies pieces of files into buffers, in order; each is read while the one before it is handed over. */
  async #fill(pieces: readonly Piece[], { signal, onBytes }: ReadOptions): Promise<void> {
    const reader = new PieceReader();
    const read = (piece: Piece | undefined): Promise<Uint8Array<ArrayBuffer>> | undefined => {
      const reading = piece && reader.read(piece);
      reading?.catch(() => undefined); // a failure is heard when the piece is waited for
      return reading;
    };
    let coming = read(pieces[0]);
    try {
      for (const [index, { tensor, buffer, offset, length, weight, tiny }] of pieces.entries()) {
        signal?.throwIfAborted();
        const bytes = await coming!;
        coming = read(pieces[index + 1]);
        tiny?.look(bytes);
        const stored = asStored(bytes, weight.entry, weight.dtype);
        if (this.gpu.tuning.finiteSearch === 'host') this.#search(tensor, stored);
        this.gpu.write(buffer, offset, stored);
        onBytes?.(length);
        this.#inFlight += length;
        if (this.#inFlight >= BYTES_IN_FLIGHT) {
          this.#inFlight = 0;
          // Dawn frees what was destroyed before when commands are submitted, even if there are none.
          this.gpu.recorder().submit();
          await this.gpu.finish();
        }
      }
    } finally {
      // A read that nobody wants any more must end before its file is closed.
      await coming?.catch(() => undefined);
    }
  }
}

/** Bytes of a file, and where on the GPU they go. */
interface Piece {
  readonly tensor: Tensor;
  readonly weight: Weight;
  /** In the file. */
  readonly start: number;
  readonly length: number;
  readonly buffer: GPUBuffer;
  /** In the buffer. */
  readonly offset: number;
  readonly tiny: TinyNumbers | undefined;
}

/** The pieces of a tensor that holds a weight's rows from one on. */
function piecesOf(tensor: Tensor, weight: Weight, firstRow: number, tiny?: TinyNumbers): Piece[] {
  const { entry, shape, dtype } = weight;
  const rowBytes = entry.bytes / (shape[0] ?? 1);
  const growth = bytesPerElement[dtype] / (entry.bytes / elementCount(shape));
  return tensor.parts.flatMap(({ buffer, rows, firstRow: first }) => {
    const start = entry.offset + (firstRow + first) * rowBytes;
    const bytes = rows * rowBytes;
    return Array.from({ length: Math.ceil(bytes / CHUNK_BYTES) }, (_, index): Piece => {
      const done = index * CHUNK_BYTES;
      const length = Math.min(CHUNK_BYTES, bytes - done);
      return { tensor, weight, start: start + done, length, buffer, offset: done * growth, tiny };
    });
  });
}

/**
 * Reads pieces into the same two memories in turn, if a source can do that: new memory takes more time than reading
 * into it.
 */
class PieceReader {
  readonly #memories: Uint8Array<ArrayBuffer>[] = [];
  #turn = 0;

  /** @returns bytes that are valid until the call after the next one; at most two may be under way */
  async read({ weight, start, length }: Piece): Promise<Uint8Array<ArrayBuffer>> {
    const { source } = weight.entry;
    if (!source.readInto) return source.read(start, length);
    const turn = (this.#turn = 1 - this.#turn);
    let memory = this.#memories[turn];
    if (!memory || memory.length < length) this.#memories[turn] = memory = new Uint8Array(length);
    const target = memory.subarray(0, length);
    await source.readInto(start, target);
    return target;
  }
}

/** The error for a weight that holds a NaN or an infinity. */
export function notFinite({ name, entry }: Weight): NumericalError {
  return new NumericalError(
    `tensor ${name} in ${entry.source.name} holds a NaN or an infinity; download the file again, or ask its authors`,
    { code: 'tensor-not-finite', subject: { kind: 'tensor', name } },
  );
}

/** A file's bytes as the GPU keeps them: packed, or as F32. */
export function asStored(
  bytes: Uint8Array<ArrayBuffer>,
  entry: TensorEntry,
  dtype: Dtype,
): Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer> {
  return entry.dtype === dtype
    ? bytes
    : decodeFloats(entry.dtype, bytes, `${entry.source.name}: ${entry.name}`);
}
