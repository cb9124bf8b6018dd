import type { Checkpoint, TensorEntry } from './checkpoint.ts';
import { decodeFloats } from './decode.ts';
import { CheckpointError, NumericalError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import { bytesPerElement, elementCount } from './gpu/tensor.ts';
import type { Dtype, TensorPart, Tensor } from './gpu/tensor.ts';
import { findNonfinite, weightFormat } from './kernels.ts';

/** A weight that an architecture needs: its name in the checkpoint and its shape there. */
export interface WeightSpec {
  readonly name: string;
  /** One dimension: a bias or a norm, widened to F32 on the way. Two: a matrix, kept packed as it is stored. */
  readonly shape: readonly number[];
}

/** Bytes read from a file and handed to the GPU at once. */
const CHUNK_BYTES = 8 * 2 ** 20;
/** Bytes handed over before waiting for the GPU, which keeps copies of them until it has them. */
const BYTES_IN_FLIGHT = 64 * 2 ** 20;
const NONFINITE_WORKGROUPS = 256;

/** @throws CheckpointError unless the checkpoint holds the weight in that shape and a floating-point dtype. */
export function weightEntry(
  checkpoint: Checkpoint,
  { name, shape }: WeightSpec,
): TensorEntry & { dtype: Dtype } {
  const entry = checkpoint.entry(name);
  if (entry.shape.join() !== shape.join()) {
    throw new CheckpointError(
      `tensor ${name} in ${entry.source.name} has shape [${entry.shape.join(', ')}], where config.json needs ` +
        `[${shape.join(', ')}]; check that both belong to the same model`,
    );
  }
  if (!isWeightDtype(entry.dtype)) {
    throw new CheckpointError(
      `tensor ${name} in ${entry.source.name} is ${entry.dtype}; Laminar computes with F32, F16 and BF16 weights`,
    );
  }
  return { ...entry, dtype: entry.dtype };
}

function isWeightDtype(dtype: string): dtype is Dtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

/** Bytes that a weight takes on the GPU. */
export function weightBytes(checkpoint: Checkpoint, spec: WeightSpec): number {
  const elements = elementCount(spec.shape);
  return spec.shape.length === 1
    ? 4 * elements
    : bytesPerElement[weightEntry(checkpoint, spec).dtype] * elements;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes that just reached the GPU. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** Brings weights from a checkpoint's files to the GPU, in ranges, and looks for NaN and infinities among them. */
export class WeightReader {
  #inFlight = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly checkpoint: Checkpoint,
  ) {}

  /**
   * Loads weights whole; the caller owns the tensors.
   * @throws CheckpointError for a wrong shape or dtype, FileError if a file fails, NumericalError naming a weight with
   * a NaN or an infinity in it, the signal's reason if it aborts. Nothing stays allocated after a throw.
   */
  async load<Role extends string>(
    specs: Readonly<Record<Role, WeightSpec>>,
    options: ReadOptions = {},
  ): Promise<Record<Role, Tensor>> {
    const loaded: Partial<Record<Role, Tensor>> = {};
    const tensors: Tensor[] = [];
    const roles = Object.keys(specs) as Role[];
    try {
      // All memory is taken at once, before the first wait, so that others see at once what is left.
      for (const role of roles) {
        const { name, shape } = specs[role];
        const { dtype } = weightEntry(this.checkpoint, specs[role]);
        const tensor = this.gpu.tensor(name, shape, shape.length === 1 ? 'F32' : dtype);
        tensors.push(tensor);
        loaded[role] = tensor;
      }
      for (const [index, role] of roles.entries())
        await this.#fillWhole(tensors[index]!, specs[role], options);
      await this.checkFinite(tensors);
    } catch (error) {
      for (const tensor of tensors) tensor.dispose();
      throw error;
    }
    return loaded as Record<Role, Tensor>;
  }

  /** Loads rows `firstRow` … `firstRow + rows` of a matrix, packed; the caller owns the tensor. */
  async loadRows(
    spec: WeightSpec,
    firstRow: number,
    rows: number,
    options: ReadOptions = {},
  ): Promise<Tensor> {
    const entry = weightEntry(this.checkpoint, spec);
    const tensor = this.gpu.tensor(spec.name, [rows, ...spec.shape.slice(1)], entry.dtype);
    try {
      await this.#fill(tensor, entry, firstRow, options);
    } catch (error) {
      tensor.dispose();
      throw error;
    }
    return tensor;
  }

  /** @throws NumericalError naming the first tensor that holds a NaN or an infinity. */
  async checkFinite(tensors: readonly Tensor[]): Promise<void> {
    const found = this.gpu.allocate('nonfinite flags', 4 * tensors.length);
    try {
      const recorder = this.gpu.recorder();
      tensors.forEach((tensor, slot) => {
        for (const part of tensor.parts) {
          recorder.dispatch(findNonfinite, {
            bindings: { values: part.buffer, found },
            uniforms: {
              elements: (tensor.size / (tensor.shape[0] ?? 1)) * part.rows,
              slot,
              workgroups: NONFINITE_WORKGROUPS,
            },
            constants: { weightFormat: weightFormat(tensor.dtype) },
            workgroups: [NONFINITE_WORKGROUPS],
          });
        }
      });
      recorder.submit();
      const flags = new Uint32Array(await this.gpu.readBytes(found, 0, 4 * tensors.length));
      const bad = tensors[flags.findIndex((flag) => flag !== 0)];
      if (bad) {
        throw new NumericalError(
          `tensor ${bad.label} in ${this.checkpoint.entry(bad.label).source.name} holds a NaN or an infinity; download the file again, or ask its authors`,
        );
      }
    } finally {
      this.gpu.free(found);
    }
  }

  async #fillWhole(tensor: Tensor, spec: WeightSpec, options: ReadOptions): Promise<void> {
    const entry = weightEntry(this.checkpoint, spec);
    if (spec.shape.length > 1) return this.#fill(tensor, entry, 0, options);
    options.signal?.throwIfAborted();
    const bytes = await entry.source.read(entry.offset, entry.bytes);
    const values = decodeFloats(entry.dtype, bytes, `${entry.source.name}: ${spec.name}`);
    for (const { buffer, firstRow, rows } of tensor.parts) {
      this.gpu.write(buffer, 0, values.subarray(firstRow, firstRow + rows));
    }
    options.onBytes?.(entry.bytes);
  }

  async #fill(tensor: Tensor, entry: TensorEntry, firstRow: number, options: ReadOptions): Promise<void> {
    const rowBytes = entry.bytes / (entry.shape[0] ?? 1);
    for (const part of tensor.parts) {
      await this.#fillPart(part, entry, (firstRow + part.firstRow) * rowBytes, part.rows * rowBytes, options);
    }
  }

  async #fillPart(
    part: TensorPart,
    entry: TensorEntry,
    start: number,
    bytes: number,
    { signal, onBytes }: ReadOptions,
  ): Promise<void> {
    for (let done = 0; done < bytes; done += CHUNK_BYTES) {
      signal?.throwIfAborted();
      const length = Math.min(CHUNK_BYTES, bytes - done);
      this.gpu.write(part.buffer, done, await entry.source.read(entry.offset + start + done, length));
      onBytes?.(length);
      this.#inFlight += length;
      if (this.#inFlight >= BYTES_IN_FLIGHT) {
        this.#inFlight = 0;
        await this.gpu.finish();
      }
    }
  }
}
