import { DeviceError } from '../errors.ts';
import { unlessAborted } from '../abort.ts';
import { wholeWords } from './buffers.ts';
import { callDevice } from './device-call.ts';
import type { BufferRange } from './kernel.ts';
import type { OwnErrors } from './own-errors.ts';

/** What reading back needs of the runtime. */
export interface ReadingDevice {
  readonly device: GPUDevice;
  /** On a device that was lent: what is not within its scopes is not ours. */
  readonly own: OwnErrors | undefined;
  readonly signal: AbortSignal | undefined;
  /** @throws DeviceError with the first failure the device reported, if any */
  readonly check: () => void;
}

/**
 * Copies ranges of buffers into one that the host can read, by one submission and one wait, and hands their bytes over in
 * memory that is valid during the call only.
 * @param ranges offsets are multiples of 4; `size` is the number of bytes wanted
 * @throws DeviceError if the device is lost or rejected a command, the signal's reason if it aborts
 */
export async function readBack<T>(
  { device, own, signal, check }: ReadingDevice,
  ranges: readonly Required<BufferRange>[],
  use: (mapped: readonly ArrayBuffer[]) => T,
): Promise<T> {
  check();
  // Each range is mapped by itself, which must begin at a multiple of 8.
  const starts: number[] = [];
  let bytes = 0;
  for (const { size } of ranges) {
    starts.push(bytes);
    bytes += Math.ceil(wholeWords(size) / 8) * 8;
  }
  const around = <R>(attempt: string, call: () => R): R =>
    callDevice(attempt, own ? () => own.around(call) : call);
  const staging = around(`make a buffer of ${bytes} bytes to read back`, () =>
    device.createBuffer({
      label: 'readback',
      size: bytes,
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    }),
  );
  try {
    around('copy what is read back', () => {
      const encoder = device.createCommandEncoder();
      for (const [index, { buffer, offset, size }] of ranges.entries()) {
        encoder.copyBufferToBuffer(buffer, offset, staging, starts[index]!, wholeWords(size));
      }
      device.queue.submit([encoder.finish()]);
    });
    const mapped = callDevice('read back', () => staging.mapAsync(GPUMapMode.READ));
    await unlessAborted(mapped, signal).catch((cause: unknown) => {
      signal?.throwIfAborted();
      check();
      throw new DeviceError(`could not read ${bytes} bytes back from the GPU: ${String(cause)}; run again`, {
        cause,
      });
    });
    await own?.settled();
    check();
    const views = callDevice('show what is read back', () =>
      ranges.map(({ size }, index) => staging.getMappedRange(starts[index], wholeWords(size))),
    );
    return use(views);
  } finally {
    staging.destroy();
  }
}
