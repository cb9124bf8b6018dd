import { unlessAborted } from '../abort.ts';
import { DeviceError } from '../errors.ts';
import { BindGroups } from './bind-groups.ts';
import { Buffers, wholeWords } from './buffers.ts';
import { callDevice, reportedFault } from './device-call.ts';
import { KernelCache } from './kernel.ts';
import type { BufferRange } from './kernel.ts';
import { WorkBudget } from './pace.ts';
import type { AdapterReport, GpuOptions } from './options.ts';
import { OwnErrors } from './own-errors.ts';
import { readBack } from './read-back.ts';
import type { ReadingDevice } from './read-back.ts';
import { Recorder, UniformPool } from './recorder.ts';
import { rowRanges } from './row-ranges.ts';
import { bytesPerElement, elementCount, Tensor } from './tensor.ts';
import type { Dtype, TensorPart } from './tensor.ts';
import { KernelTimer } from './timer.ts';
import { traitsOf, tune } from './tuning.ts';
import { noMatrices } from './subgroup-matrices.ts';
import type { Tuning, TuningOverrides } from './tuning.ts';
import { overridesFor } from './variants.ts';
import type { VerdictStore } from './verdicts.ts';

export type { AdapterReport, GpuOptions } from './options.ts';

/**
 * The thin runtime over one GPUDevice: compiles and caches kernels, records dispatches, owns buffers and counts their
 * bytes, reads results back, and turns the device's failures into `DeviceError`s.
 */
export class Gpu implements Disposable {
  readonly kernels: KernelCache;
  readonly timer: KernelTimer | undefined;
  /** The maximum number of bytes one storage binding may hold. */
  readonly bindingLimit: number;
  readonly memoryLimit: number;
  /** What earlier runs found out about kernels on this adapter. */
  readonly verdicts: VerdictStore | undefined;
  readonly #uniforms: UniformPool;
  readonly #buffers: Buffers;
  readonly #bindGroups = new BindGroups();
  readonly #budgets = new Map<string, WorkBudget>();
  readonly #signal: AbortSignal | undefined;
  readonly #onNotice: GpuOptions['onNotice'];
  #tuning: Tuning;
  #failure: DeviceError | undefined;
  #disposed = false;
  /** For a device that was lent: errors outside these scopes belong to its owner. */
  readonly #own: OwnErrors | undefined;
  readonly #onUncaptured = (event: Event): void => {
    this.#onError((event as GPUUncapturedErrorEvent).error);
  };
  readonly #onError = (error: GPUError): void => {
    this.#failure ??= reportedFault(error);
  };

  constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterReport,
    options: GpuOptions = {},
    private readonly ownsDevice = false,
  ) {
    this.kernels = KernelCache.of(device);
    this.#tuning = tuningOf(device, adapter, options);
    this.verdicts = options.verdicts;
    this.#onNotice = options.onNotice;
    if (options.subgroupMatrices && !this.#tuning.matrices) this.notice(noMatrices(adapter));
    this.#uniforms = new UniformPool(device);
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    this.bindingLimit = Math.min(
      options.bindingLimit ?? Infinity,
      maxStorageBufferBindingSize,
      maxBufferSize,
    );
    this.memoryLimit = options.memoryLimit ?? Infinity;
    this.#buffers = new Buffers(device, this.memoryLimit, (buffer) => {
      this.#bindGroups.forget(buffer);
    });
    this.#signal = options.signal;
    const canTime = options.timed === true && device.features.has('timestamp-query');
    this.timer = canTime ? new KernelTimer(device) : undefined;
    this.#own = ownsDevice ? undefined : new OwnErrors(device, this.#onError);
    if (ownsDevice) device.addEventListener('uncapturederror', this.#onUncaptured);
    void device.lost.then(({ message }) => {
      if (!this.#disposed)
        this.#failure ??= new DeviceError(`the GPU device was lost: ${message}; run again`, {
          code: 'device-lost',
        });
    });
  }

  /** How this device computes: variants, threads, work handed over at once. */
  get tuning(): Tuning {
    return this.#tuning;
  }

  /** Changes decisions from now on, if a kernel that was chosen does not work. */
  fallBack(overrides: TuningOverrides): void {
    this.#tuning = { ...this.#tuning, ...overrides };
  }

  /** Tells the user what to know of the device. */
  notice(notice: string): void {
    this.#onNotice?.(notice);
  }

  /** Bytes in buffers that are alive now. */
  get allocatedBytes(): number {
    return this.#buffers.bytes;
  }

  /** The maximum number of bytes that were alive at once. */
  get peakBytes(): number {
    return this.#buffers.peakBytes;
  }

  /** Allocates a storage buffer. The caller owns it: hand it to `free`. */
  allocate(label: string, bytes: number, extraUsage: GPUBufferUsageFlags = 0): GPUBuffer {
    this.check();
    const allocate = (): GPUBuffer => this.#buffers.allocate(label, bytes, extraUsage);
    return this.#own ? this.#own.around(allocate) : allocate();
  }

  /** Frees a buffer that `allocate` made; safe while submitted work still uses it, and when called twice. */
  free(buffer: GPUBuffer): void {
    this.#buffers.free(buffer);
  }

  /** Allocates a tensor, zero-filled, split by rows of its first dimension where one binding cannot hold it. */
  tensor(label: string, shape: readonly number[], dtype: Dtype = 'F32'): Tensor {
    const rows = shape[0] ?? 1;
    const rowBytes = elementCount(shape.slice(1)) * bytesPerElement[dtype];
    const parts: TensorPart[] = [];
    try {
      for (const [firstRow, count] of rowRanges(rows, rowBytes, this.bindingLimit, label)) {
        parts.push({ buffer: this.allocate(label, count * rowBytes), firstRow, rows: count });
      }
    } catch (error) {
      for (const part of parts) this.free(part.buffer);
      throw error;
    }
    return new Tensor(this, label, shape, dtype, parts);
  }

  /** A tensor with these elements; their count must be the shape's. */
  upload(label: string, shape: readonly number[], values: Float32Array | Int32Array | Uint32Array): Tensor {
    const tensor = this.tensor(label, shape, values instanceof Float32Array ? 'F32' : 'I32');
    try {
      for (const part of tensor.parts) {
        const rowLength = values.length / (shape[0] ?? 1);
        const slice = values.subarray(part.firstRow * rowLength, (part.firstRow + part.rows) * rowLength);
        this.write(part.buffer, 0, slice);
      }
      return tensor;
    } catch (error) {
      tensor.dispose();
      throw error;
    }
  }

  /** Copies bytes into a buffer, padding the last 32-bit word with zeros. `offset` is a multiple of 4. */
  write(buffer: GPUBuffer, offset: number, data: ArrayBufferView): void {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength) as Uint8Array<ArrayBuffer>;
    if (bytes.length === 0) return;
    if (bytes.length % 4 === 0) {
      this.#call('write into a buffer', () => this.device.queue.writeBuffer(buffer, offset, bytes));
      return;
    }
    const padded = new Uint8Array(wholeWords(bytes.length));
    padded.set(bytes);
    this.#call('write into a buffer', () => this.device.queue.writeBuffer(buffer, offset, padded));
  }

  #call<T>(attempt: string, call: () => T): T {
    const own = this.#own;
    return callDevice(attempt, own ? () => own.around(call) : call);
  }

  recorder(): Recorder {
    this.check();
    return new Recorder(this.device, this.kernels, this.#uniforms, this.#bindGroups, this.timer, this.#own);
  }

  /** How much work of a kind a submission may hold; the measurements outlive the job that took them. */
  budgetOf(job: string): WorkBudget {
    const { firstWork, submissionMilliseconds } = this.tuning;
    let budget = this.#budgets.get(job);
    if (!budget) this.#budgets.set(job, (budget = new WorkBudget(firstWork, submissionMilliseconds)));
    return budget;
  }

  /** Waits for everything submitted. @throws DeviceError if the GPU rejected any of it. */
  async finish(): Promise<void> {
    const done = callDevice('wait for its work', () => this.device.queue.onSubmittedWorkDone());
    await unlessAborted(done, this.#signal).catch((cause: unknown) => {
      this.#signal?.throwIfAborted();
      this.check();
      // The refusal may come before the news of the loss.
      throw new DeviceError(`the GPU device was lost: ${String(cause)}; run again`, {
        code: 'device-lost',
        cause,
      });
    });
    await this.#own?.settled();
    this.check();
  }

  /** Reads bytes back. @throws DeviceError if the device is lost or rejected a command. */
  async readBytes(buffer: GPUBuffer, offset = 0, bytes = buffer.size - offset): Promise<ArrayBuffer> {
    const [read] = await this.readAll([{ buffer, offset, size: bytes }]);
    return read;
  }

  /** Reads several ranges back, by one submission and one wait. @throws as `readBytes` does */
  readAll<const Ranges extends readonly BufferRange[]>(
    ranges: Ranges,
  ): Promise<{ [Index in keyof Ranges]: ArrayBuffer }> {
    const whole = ranges.map(({ buffer, offset = 0, size = buffer.size - offset }) => ({
      buffer,
      offset,
      size,
    }));
    return readBack(this.#reading, whole, (mapped) => {
      const copies = mapped.map((bytes, index) => bytes.slice(0, whole[index]!.size));
      return copies as { [Index in keyof Ranges]: ArrayBuffer };
    });
  }

  /**
   * Reads a whole F32 tensor back, parts joined in row order.
   * @param into the array to fill; without it a new one is made. A caller who reads many tensors can use one array
   * again.
   */
  async readFloats(tensor: Tensor, into = new Float32Array(tensor.size)): Promise<Float32Array> {
    const rowLength = tensor.size / (tensor.shape[0] ?? 1);
    for (const { buffer, firstRow, rows } of tensor.parts) {
      const length = rows * rowLength;
      await readBack(this.#reading, [{ buffer, offset: 0, size: 4 * length }], ([mapped]) => {
        into.set(new Float32Array(mapped!, 0, length), firstRow * rowLength);
      });
    }
    return into;
  }

  /** @throws DeviceError with the first failure the device reported, if any. */
  check(): void {
    if (this.#disposed) throw new DeviceError('the GPU was used after dispose()', { code: 'disposed' });
    if (this.#failure) throw this.#failure;
  }

  /** Frees every buffer; destroys the device too if Laminar opened it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#buffers.freeAll();
    this.#uniforms.dispose();
    this.timer?.dispose();
    this.device.removeEventListener('uncapturederror', this.#onUncaptured);
    if (!this.ownsDevice) return;
    const destroy = (): void => {
      this.device.destroy();
    };
    // Destroying waits for what was submitted.
    if (this.#signal?.aborted) void this.device.queue.onSubmittedWorkDone().then(destroy, destroy);
    else destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  get #reading(): ReadingDevice {
    return { device: this.device, own: this.#own, signal: this.#signal, check: () => void this.check() };
  }
}

/** What the device suggests, then what was chosen for its adapter, then what the caller wants. */
function tuningOf(
  device: GPUDevice,
  { software }: AdapterReport,
  { choices = {}, tuning, subgroupMatrices = false }: GpuOptions,
): Tuning {
  const traits = traitsOf(device, software, subgroupMatrices);
  const suggested = tune(traits);
  const { product, matrices } = suggested;
  return tune(traits, { ...overridesFor(suggested, choices), ...(matrices && { product }), ...tuning });
}
