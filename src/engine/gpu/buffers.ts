import { DeviceError } from '../errors.ts';
import { callDevice } from './device-call.ts';

/** What copyBufferToBuffer and writeBuffer need: sizes in whole 32-bit words. */
export const wholeWords = (bytes: number): number => Math.max(4, Math.ceil(bytes / 4) * 4);

/** The storage buffers of a device that are alive, and how many bytes they hold. */
export class Buffers {
  readonly #sizes = new Map<GPUBuffer, number>();
  #bytes = 0;
  #peak = 0;

  /**
   * @param memoryLimit bytes that all buffers together may hold
   * @param onFree told of each buffer that is freed
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly memoryLimit: number,
    private readonly onFree: (buffer: GPUBuffer) => void,
  ) {}

  /** Bytes in buffers that are alive now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The maximum number of bytes that were alive at once. */
  get peakBytes(): number {
    return this.#peak;
  }

  /** @throws DeviceError if the limit, the adapter or the driver does not allow it */
  allocate(label: string, bytes: number, extraUsage: GPUBufferUsageFlags): GPUBuffer {
    const size = wholeWords(bytes);
    if (this.#bytes + size > this.memoryLimit) {
      throw new DeviceError(
        `${label} needs ${size} bytes of GPU memory, and ${this.#bytes} of the ${this.memoryLimit} allowed are in use`,
        {
          code: 'memory-limit',
          subject: { kind: 'option', name: 'memoryLimit' },
          remedies: [
            { kind: 'raise', option: 'memoryLimit' },
            { kind: 'do', what: 'take fewer tokens' },
          ],
        },
      );
    }
    const { maxBufferSize } = this.device.limits;
    if (size > maxBufferSize) {
      throw new DeviceError(
        `${label} needs a buffer of ${size} bytes; this adapter's largest is ${maxBufferSize}`,
        { code: 'buffer-limit' },
      );
    }
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST | extraUsage;
    const buffer = callDevice(`make the buffer ${label} of ${size} bytes`, () =>
      this.device.createBuffer({ label, size, usage }),
    );
    this.#sizes.set(buffer, size);
    this.#bytes += size;
    this.#peak = Math.max(this.#peak, this.#bytes);
    return buffer;
  }

  /** Frees a buffer that `allocate` made; safe while submitted work still uses it, and when called twice. */
  free(buffer: GPUBuffer): void {
    const size = this.#sizes.get(buffer);
    if (size === undefined) return;
    this.#sizes.delete(buffer);
    this.#bytes -= size;
    this.onFree(buffer);
    buffer.destroy();
  }

  freeAll(): void {
    for (const buffer of [...this.#sizes.keys()]) this.free(buffer);
  }
}
