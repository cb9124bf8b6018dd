import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { Recorder } from '../../src/engine/gpu/recorder.ts';

/** Buffers of one test; outputs start as NaN. */
export class KernelBench implements Disposable {
  readonly #buffers: GPUBuffer[] = [];

  constructor(private readonly gpu: Gpu) {}

  input(values: Float32Array | Int32Array | Uint32Array): GPUBuffer {
    const buffer = this.gpu.allocate('input', values.byteLength);
    this.gpu.write(buffer, 0, values);
    this.#buffers.push(buffer);
    return buffer;
  }

  output(length: number): GPUBuffer {
    return this.input(new Float32Array(length).fill(NaN));
  }

  async run(record: (recorder: Recorder) => void): Promise<void> {
    const recorder = this.gpu.recorder();
    record(recorder);
    recorder.submit();
    await this.gpu.finish();
  }

  async floats(buffer: GPUBuffer): Promise<Float32Array> {
    return new Float32Array(await this.gpu.readBytes(buffer));
  }

  async words(buffer: GPUBuffer): Promise<Uint32Array> {
    return new Uint32Array(await this.gpu.readBytes(buffer));
  }

  [Symbol.dispose](): void {
    for (const buffer of this.#buffers) this.gpu.free(buffer);
  }
}

/** The bits of a float32. */
export function bitsOf(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]!;
}

export function dot(a: Float32Array | Float64Array, b: Float32Array | Float64Array): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
  return sum;
}
