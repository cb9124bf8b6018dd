import { callDevice, deviceFault } from './device-call.ts';

/** Timestamps a query set holds, two per dispatch; WebGPU allows no more. */
const QUERIES = 4096;
const TIMED_PER_SET = QUERIES / 2;

/** How long a kernel ran, summed over its dispatches. */
export interface KernelTime {
  readonly kernel: string;
  readonly dispatches: number;
  readonly milliseconds: number;
}

interface QueryBlock {
  readonly querySet: GPUQuerySet;
  readonly resolved: GPUBuffer;
}

/**
 * Times every dispatch with GPU timestamps (feature `timestamp-query`), each in a compute pass of its own. For the
 * benchmark: it costs one pass per dispatch.
 */
export class KernelTimer {
  readonly #free: QueryBlock[] = [];
  readonly #all: QueryBlock[] = [];
  readonly #totals = new Map<string, { dispatches: number; milliseconds: number }>();
  readonly #reads: Promise<void>[] = [];

  constructor(private readonly device: GPUDevice) {}

  /** The times of one command buffer. */
  begin(): TimedCommands {
    return new TimedCommands(
      this.device,
      () => this.#take(),
      (blocks, readable, names) => {
        this.#free.push(...blocks);
        const read = this.#read(readable, names);
        // `totals` reports a failure. If nobody asks, it must not count as unhandled.
        read.catch(() => undefined);
        this.#reads.push(read);
      },
    );
  }

  /** Waits for the GPU and returns the totals, slowest kernel first. */
  async totals(): Promise<KernelTime[]> {
    await Promise.all(this.#reads);
    return [...this.#totals]
      .map(([kernel, total]) => ({ kernel, ...total }))
      .sort((a, b) => b.milliseconds - a.milliseconds);
  }

  dispose(): void {
    for (const { querySet, resolved } of this.#all) {
      querySet.destroy();
      resolved.destroy();
    }
  }

  #take(): QueryBlock {
    const free = this.#free.pop();
    if (free) return free;
    const block = callDevice('make room for timestamps', () => ({
      querySet: this.device.createQuerySet({ type: 'timestamp', count: QUERIES }),
      resolved: this.device.createBuffer({
        label: 'timestamps',
        size: 8 * QUERIES,
        usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
      }),
    }));
    this.#all.push(block);
    return block;
  }

  async #read(readable: GPUBuffer, names: readonly string[]): Promise<void> {
    try {
      await readable.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(readable.getMappedRange());
      names.forEach((name, index) => {
        const total = this.#totals.get(name) ?? { dispatches: 0, milliseconds: 0 };
        total.dispatches += 1;
        total.milliseconds += Number(times[2 * index + 1]! - times[2 * index]!) / 1e6;
        this.#totals.set(name, total);
      });
    } catch (cause) {
      throw deviceFault('read timestamps', cause);
    } finally {
      readable.destroy();
    }
  }
}

/** The timestamps of one command buffer, in as many query sets as its dispatches need. */
export class TimedCommands {
  readonly #blocks: QueryBlock[] = [];
  readonly #names: string[] = [];
  #readable: GPUBuffer | undefined;

  constructor(
    private readonly device: GPUDevice,
    private readonly take: () => QueryBlock,
    private readonly onSubmitted: (
      blocks: readonly QueryBlock[],
      readable: GPUBuffer,
      names: readonly string[],
    ) => void,
  ) {}

  /** Where the next pass writes its times. */
  writesFor(kernel: string): GPUComputePassTimestampWrites {
    const index = this.#names.length % TIMED_PER_SET;
    if (index === 0) this.#blocks.push(this.take());
    this.#names.push(kernel);
    return {
      querySet: this.#blocks.at(-1)!.querySet,
      beginningOfPassWriteIndex: 2 * index,
      endOfPassWriteIndex: 2 * index + 1,
    };
  }

  /** Records, at the end of the commands, that the times go where they can be read. */
  resolve(encoder: GPUCommandEncoder): void {
    if (this.#names.length === 0) return;
    this.#readable = callDevice('make room for timestamps', () =>
      this.device.createBuffer({
        label: 'timestamps to read',
        size: 16 * this.#names.length,
        usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
      }),
    );
    for (const [index, { querySet, resolved }] of this.#blocks.entries()) {
      const first = index * TIMED_PER_SET;
      const timed = Math.min(TIMED_PER_SET, this.#names.length - first);
      encoder.resolveQuerySet(querySet, 0, 2 * timed, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, this.#readable, 16 * first, 16 * timed);
    }
  }

  /** Says that the commands were submitted: the times can be read, and the query sets used again. */
  submitted(): void {
    if (this.#readable) this.onSubmitted(this.#blocks, this.#readable, this.#names);
  }
}
