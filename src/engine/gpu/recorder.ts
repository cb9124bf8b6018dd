import type { BindGroups } from './bind-groups.ts';
import { callDevice } from './device-call.ts';
import type {
  BindingKind,
  BufferRange,
  Dispatch,
  KernelCache,
  KernelDefinition,
  ScalarKind,
} from './kernel.ts';
import { writeUniforms } from './kernel.ts';
import type { OwnErrors } from './own-errors.ts';
import type { KernelTimer, TimedCommands } from './timer.ts';

const SLOT_BYTES = 256;
const SLOTS_PER_CHUNK = 256;

interface UniformChunk {
  readonly buffer: GPUBuffer;
  readonly data: DataView<ArrayBuffer>;
}

/** Uniform buffers that recorders share: one slot per dispatch, handed back when the commands were submitted. */
export class UniformPool {
  readonly #free: UniformChunk[] = [];
  readonly #all: UniformChunk[] = [];

  constructor(private readonly device: GPUDevice) {}

  take(): UniformChunk {
    const free = this.#free.pop();
    if (free) return free;
    const size = SLOT_BYTES * SLOTS_PER_CHUNK;
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    const buffer = callDevice('make a buffer of uniforms', () =>
      this.device.createBuffer({ label: 'uniforms', size, usage }),
    );
    const chunk = { buffer, data: new DataView(new ArrayBuffer(size)) };
    this.#all.push(chunk);
    return chunk;
  }

  giveBack(chunks: readonly UniformChunk[]): void {
    this.#free.push(...chunks);
  }

  dispose(): void {
    for (const chunk of this.#all) chunk.buffer.destroy();
  }
}

/**
 * Records dispatches and copies in order, then submits them as one command buffer. WebGPU orders them: a dispatch
 * sees what the one before it wrote. A recorder is used once.
 */
export class Recorder {
  readonly #encoder: GPUCommandEncoder;
  readonly #chunks: UniformChunk[] = [];
  readonly #timed: TimedCommands | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #slot = SLOTS_PER_CHUNK;

  constructor(
    private readonly device: GPUDevice,
    private readonly kernels: KernelCache,
    private readonly pool: UniformPool,
    private readonly bindGroups: BindGroups,
    timer: KernelTimer | undefined,
    private readonly own?: OwnErrors,
  ) {
    this.#timed = timer?.begin();
    this.#encoder = callDevice('begin commands', () => device.createCommandEncoder());
  }

  /** Records one run of a kernel. */
  dispatch<
    Bindings extends Record<string, BindingKind>,
    Uniforms extends Record<string, ScalarKind>,
    Constants extends string,
  >(
    kernel: KernelDefinition<Bindings, Uniforms, Constants>,
    { bindings, uniforms, constants, workgroups }: Dispatch<Bindings, Uniforms, Constants>,
  ): void {
    if (workgroups.some((count) => count === 0)) return;
    const { pipeline, layout } = this.kernels.pipeline(kernel, constants ?? {});
    const [chunk, offset] = this.#uniformSlot();
    writeUniforms(kernel, uniforms, chunk.data, offset);
    const ranges: (GPUBuffer | BufferRange)[] = [{ buffer: chunk.buffer, size: SLOT_BYTES }];
    for (const name in kernel.bindings) ranges.push(bindings[name]);
    const bindGroup = this.bindGroups.get(layout, ranges, () =>
      callDevice(`bind buffers to ${kernel.name}`, () =>
        this.device.createBindGroup({ label: kernel.name, layout, entries: ranges.map(asEntry) }),
      ),
    );
    const timestampWrites = this.#timed?.writesFor(kernel.name);
    if (timestampWrites) this.#endPass();
    this.#pass ??= this.#encoder.beginComputePass(timestampWrites ? { timestampWrites } : {});
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, bindGroup, [offset]);
    this.#pass.dispatchWorkgroups(...workgroups);
  }

  /** Copies bytes between buffers; sizes and offsets are multiples of 4. */
  copy(
    source: GPUBuffer,
    sourceOffset: number,
    target: GPUBuffer,
    targetOffset: number,
    bytes: number,
  ): void {
    this.#endPass();
    this.#encoder.copyBufferToBuffer(source, sourceOffset, target, targetOffset, bytes);
  }

  /** Fills a buffer with zeros. */
  clear(buffer: GPUBuffer, offset = 0, bytes = buffer.size - offset): void {
    this.#endPass();
    this.#encoder.clearBuffer(buffer, offset, bytes);
  }

  /** Sends everything recorded to the GPU and returns at once. */
  submit(): void {
    this.#endPass();
    this.#timed?.resolve(this.#encoder);
    const send = (): void => {
      for (const chunk of this.#chunks) {
        this.device.queue.writeBuffer(chunk.buffer, 0, chunk.data.buffer);
      }
      this.device.queue.submit([this.#encoder.finish()]);
    };
    const { own } = this;
    callDevice('take commands', own ? () => own.around(send) : send);
    this.#timed?.submitted();
    this.pool.giveBack(this.#chunks);
  }

  #uniformSlot(): [UniformChunk, number] {
    if (this.#slot === SLOTS_PER_CHUNK) {
      this.#chunks.push(this.pool.take());
      this.#slot = 0;
    }
    return [this.#chunks.at(-1)!, SLOT_BYTES * this.#slot++];
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }
}

function asEntry(range: GPUBuffer | BufferRange, binding: number): GPUBindGroupEntry {
  return { binding, resource: 'buffer' in range ? range : { buffer: range } };
}
