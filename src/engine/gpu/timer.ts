const QUERIES = 512;

/** How long a kernel ran, summed over its dispatches. */
export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}

/**
 * Times every dispatch with GPU timestamps (feature `timestamp-query`), each in a compute pass of its own. For the
 * benchmark: it costs a pass a dispatch, and past 256 dispatches a submission the rest go untimed.
 */
export class KernelTimer {
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #totals = new Map<string, { dispatches: number; milliseconds: number }>();
  readonly #reads: Promise<void>[] = [];
  #names: string[] = [];

  constructor(private readonly device: GPUDevice) {
    this.#querySet = device.createQuerySet({ type: 'timestamp', count: QUERIES });
    this.#resolved = device.createBuffer({
      size: 8 * QUERIES,
      usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
    });
  }

  writesFor(kernel: string): GPUComputePassTimestampWrites | undefined {
    const index = 2 * this.#names.length;
    if (index >= QUERIES) return undefined;
    this.#names.push(kernel);
    return { querySet: this.#querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }

  resolve(encoder: GPUCommandEncoder): void {
    const names = this.#names;
    this.#names = [];
    if (names.length === 0) return;
    const bytes = 16 * names.length;
    const readable = this.device.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    encoder.resolveQuerySet(this.#querySet, 0, 2 * names.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, readable, 0, bytes);
    const read = this.#read(readable, names);
    // `totals` tells of a failure; who never asks must not have it count as unhandled.
    read.catch(() => undefined);
    this.#reads.push(read);
  }

  async #read(readable: GPUBuffer, names: readonly string[]): Promise<void> {
    await Promise.resolve(); // let the submission that fills the buffer go first
    await readable.mapAsync(GPUMapMode.READ);
    const times = new BigUint64Array(readable.getMappedRange());
    names.forEach((name, index) => {
      const total = this.#totals.get(name) ?? { dispatches: 0, milliseconds: 0 };
      total.dispatches += 1;
      total.milliseconds += Number(times[2 * index + 1]! - times[2 * index]!) / 1e6;
      this.#totals.set(name, total);
    });
    readable.destroy();
  }

  /** Waits for the GPU and returns the totals, slowest kernel first. */
  async totals(): Promise<KernelTime[]> {
    await Promise.all(this.#reads);
    return [...this.#totals]
      .map(([kernel, total]) => ({ kernel, ...total }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  }

  dispose(): void {
    this.#querySet.destroy();
    this.#resolved.destroy();
  }
}
