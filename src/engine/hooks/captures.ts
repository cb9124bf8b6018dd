import type { Gpu } from '../gpu/gpu.ts';
import { elementCount } from '../gpu/tensor.ts';

/** The maximum number of bytes of copies that wait to be read. */
const MAX_WAITING_BYTES = 256 * 2 ** 20;

/** A named activation, or the part of it that was asked for. */
export interface CapturedActivation {
  readonly name: string;
  /** [T, width], [T, heads, width] or [heads, T, T], of what was chosen; sequences come first where there are several. */
  readonly shape: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** A copy of some of an activation's values on the GPU. */
interface Piece {
  readonly buffer: GPUBuffer;
  readonly elements: number;
  /** Which of the activation's values is its first. */
  readonly first: number;
}

/** An activation that is being captured. */
export class OpenCapture {
  readonly #pieces: Piece[] = [];
  readonly #buffers = new Set<GPUBuffer>();
  #values: Float32Array<ArrayBuffer> | undefined;
  #reading: Promise<void>[] = [];

  constructor(
    private readonly gpu: Gpu,
    readonly name: string,
    readonly shape: readonly number[],
    private readonly finish: ((values: Float32Array) => void) | undefined,
  ) {}

  /** Bytes of the copies that are on the GPU. */
  get bytes(): number {
    return this.#pieces.reduce((sum, { elements }) => sum + 4 * elements, 0);
  }

  allocate(elements: number, first: number): GPUBuffer {
    const buffer = this.gpu.allocate(`copy of ${this.name}`, 4 * elements);
    this.#buffers.add(buffer);
    this.#pieces.push({ buffer, elements, first });
    return buffer;
  }

  /** Starts to read what was copied so far, which must have been submitted. */
  read(): void {
    const values = (this.#values ??= new Float32Array(elementCount(this.shape)));
    for (const piece of this.#pieces.splice(0)) {
      const { buffer, elements, first } = piece;
      const reading = this.gpu
        .readBytes(buffer, 0, 4 * elements)
        .then((bytes) => {
          values.set(new Float32Array(bytes), first);
        })
        .finally(() => {
          this.#buffers.delete(buffer);
          this.gpu.free(buffer);
        });
      reading.catch(() => undefined); // the caller who waits for it hears of it
      this.#reading.push(reading);
    }
  }

  /** Waits for what is being read. */
  async settle(): Promise<void> {
    await Promise.all(this.#reading.splice(0));
  }

  /** The activation, once all of it was read. */
  take(): CapturedActivation {
    const values = this.#values!;
    this.finish?.(values);
    return { name: this.name, shape: this.shape, values };
  }

  dispose(): void {
    for (const buffer of this.#buffers) this.gpu.free(buffer);
  }
}

/**
 * Copies of activations on their way from the GPU to the caller. They are read while the next block runs, and
 * handed over in the order of the pass.
 */
export class Captures implements Disposable {
  #recorded: OpenCapture[] = [];
  #reading: OpenCapture[] = [];

  /** @param deliver receives each activation; the run waits for it */
  constructor(
    private readonly gpu: Gpu,
    private readonly deliver: (activation: CapturedActivation) => void | Promise<void>,
  ) {}

  /** @param finish changes the values when all are there */
  open(name: string, shape: readonly number[], finish?: (values: Float32Array) => void): OpenCapture {
    const capture = new OpenCapture(this.gpu, name, shape, finish);
    this.#recorded.push(capture);
    return capture;
  }

  /** Reads copies that were submitted, and hands activations over, until there is room for this many more bytes. */
  async makeRoom(bytes: number): Promise<void> {
    if (this.hasRoom(bytes)) return;
    await this.#deliver();
    if (this.hasRoom(bytes)) return;
    for (const capture of this.#recorded) capture.read();
    for (const capture of this.#recorded) await capture.settle();
  }

  /** Hands over what was being read, and starts to read what was recorded and submitted since. */
  async turn(): Promise<void> {
    await this.#deliver();
    for (const capture of this.#recorded) capture.read();
    this.#reading = this.#recorded;
    this.#recorded = [];
  }

  /** Hands over all that is left. */
  async finish(): Promise<void> {
    await this.turn();
    await this.#deliver();
  }

  /** Whether this many more bytes fit the memory limit, and not too many copies wait. */
  hasRoom(bytes: number): boolean {
    const waiting = this.#recorded.reduce((sum, capture) => sum + capture.bytes, 0);
    return this.gpu.allocatedBytes + bytes <= this.gpu.memoryLimit && waiting + bytes <= MAX_WAITING_BYTES;
  }

  [Symbol.dispose](): void {
    for (const capture of [...this.#recorded, ...this.#reading]) capture.dispose();
  }

  async #deliver(): Promise<void> {
    const [next] = this.#reading;
    if (!next) return;
    await next.settle();
    this.#reading.shift();
    await this.deliver(next.take());
    await this.#deliver();
  }
}
