import type { ForwardPass } from '../forward-pass.ts';
import type { Gpu } from '../gpu/gpu.ts';
import { Captures } from './captures.ts';
import type { CapturedActivation } from './captures.ts';

/** Buffers that recorded commands read. */
export class Uploads {
  /** Used by commands that are recorded. */
  readonly #recorded: GPUBuffer[] = [];
  readonly #held = new Set<GPUBuffer>();

  constructor(private readonly gpu: Gpu) {}

  /** A buffer for the one command that is recorded next. */
  add(label: string, values: Uint32Array): GPUBuffer {
    const buffer = this.gpu.allocate(label, values.byteLength);
    this.#recorded.push(buffer);
    this.gpu.write(buffer, 0, values);
    return buffer;
  }

  /** A buffer that stays until it is released. */
  hold(label: string, bytes: number): GPUBuffer {
    const buffer = this.gpu.allocate(label, bytes);
    this.#held.add(buffer);
    return buffer;
  }

  /** Says that no more commands that use a buffer will be recorded. */
  release(buffer: GPUBuffer): void {
    if (this.#held.delete(buffer)) this.#recorded.push(buffer);
  }

  /** Frees what is not held; everything that reads it must have been submitted. */
  free(): void {
    for (const buffer of this.#recorded.splice(0)) this.gpu.free(buffer);
  }

  dispose(): void {
    for (const buffer of this.#held) this.release(buffer);
    this.free();
  }
}

/** What looking at activations and changing them takes: copies on their way, uploads, and room for both. */
export class HookTools implements Disposable {
  readonly captures: Captures;
  readonly uploads: Uploads;

  constructor(
    readonly pass: ForwardPass,
    deliver: (activation: CapturedActivation) => void | Promise<void>,
  ) {
    this.captures = new Captures(pass.gpu, deliver);
    this.uploads = new Uploads(pass.gpu);
  }

  /**
   * Makes room for this many more bytes, if reading copies and handing activations over can free them. Call it
   * between commands, before what the next one takes is allocated.
   */
  async makeRoom(bytes: number): Promise<void> {
    if (this.captures.hasRoom(bytes)) return;
    this.pass.submit();
    this.uploads.free();
    await this.captures.makeRoom(bytes);
  }

  [Symbol.dispose](): void {
    this.uploads.dispose();
    this.captures[Symbol.dispose]();
  }
}
