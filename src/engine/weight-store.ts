import type { Architecture } from './architectures/architecture.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import { HEAD_SLICE_BYTES, planWeights } from './memory.ts';
import type { WeightSizes } from './memory.ts';
import { weightBytes, weightEntry, WeightReader } from './weights.ts';
import type { ReadOptions, WeightSpec } from './weights.ts';

/** What the search for NaN takes besides a block's weights. */
const FLAGS_BYTES = 256;

type BlockWeights = Record<string, Tensor>;

/**
 * The weights on their way to the GPU. A forward pass needs each layer's once, so where they do not all fit they pass
 * through: while one block computes, the next one's are uploaded, and no more than two blocks' are there at once.
 */
export class WeightStore implements Disposable {
  /** Whether every weight stays on the GPU between runs. */
  readonly isResident: boolean;
  readonly #reader: WeightReader;
  readonly #blocks = new Map<number, Promise<BlockWeights>>();
  /** Those of the blocks that have arrived, so that `dispose` can free them at once. */
  readonly #arrived = new Map<number, BlockWeights>();
  /** Settles, and never fails, when the block that was asked for ahead has arrived or could not. */
  #ahead: Promise<void> | undefined;
  #head: Tensor | undefined;
  #finalNorm: Record<'weight' | 'bias', Tensor> | undefined;
  #disposed = false;

  /**
   * @param reserve bytes to leave free for everything that is no weight
   * @param guestReserve those of them that whoever looks at the states may take
   */
  constructor(
    private readonly gpu: Gpu,
    private readonly checkpoint: Checkpoint,
    private readonly architecture: Architecture,
    readonly sizes: WeightSizes,
    reserve: number,
    private readonly guestReserve: number,
  ) {
    this.#reader = new WeightReader(gpu, checkpoint);
    this.isResident = planWeights(sizes, reserve, gpu.memoryLimit).isResident;
  }

  /** Bytes of the files that `load` reads. */
  get residentFileBytes(): number {
    const { finalNorm, head } = this.architecture;
    const blocks = Array.from({ length: this.checkpoint.config.layers }, (_, layer) =>
      Object.values(this.architecture.blockWeights(layer)),
    );
    const specs = [...Object.values(finalNorm), ...(this.isResident ? [head, ...blocks.flat()] : [])];
    return specs.reduce((sum, spec) => sum + weightEntry(this.checkpoint, spec).bytes, 0);
  }

  blockBytes(layer: number): number {
    return this.#bytes(Object.values(this.architecture.blockWeights(layer)));
  }

  /** Checks every tensor's presence, shape and dtype without reading any. @throws CheckpointError */
  validate(): void {
    const { embeddings, finalNorm, head } = this.architecture;
    const blocks = Array.from({ length: this.checkpoint.config.layers }, (_, layer) =>
      Object.values(this.architecture.blockWeights(layer)),
    );
    const specs = [
      ...embeddings.map(({ table }) => table),
      ...Object.values(finalNorm),
      head,
      ...blocks.flat(),
    ];
    for (const spec of specs) weightEntry(this.checkpoint, spec);
  }

  /** Brings everything that stays to the GPU: all weights if they fit, else the final norm alone. */
  async load(options: ReadOptions): Promise<void> {
    this.#finalNorm = await this.#reader.load(this.architecture.finalNorm, options);
    if (!this.isResident) return;
    for (let layer = 0; layer < this.checkpoint.config.layers; layer++) await this.#block(layer, options);
    const { head } = this.architecture;
    this.#head = (await this.#reader.load({ head }, options)).head;
  }

  /** The final layer norm's weights, which stay. */
  get finalNorm(): Record<'weight' | 'bias', Tensor> {
    return this.#finalNorm!;
  }

  /** A block's weights. */
  async block(layer: number, options: ReadOptions): Promise<BlockWeights> {
    await this.#ahead;
    return this.#block(layer, options);
  }

  /**
   * Starts to load a block that will be asked for next, where there is room for it. Call it when the block before is
   * recorded, so that the activations have their memory first.
   */
  loadAhead(layer: number, options: ReadOptions): void {
    if (this.isResident || layer >= this.checkpoint.config.layers) return;
    const needed = this.blockBytes(layer) + FLAGS_BYTES + this.guestReserve;
    if (this.gpu.allocatedBytes + needed > this.gpu.memoryLimit) return;
    // Whoever looks at a state may have taken the room meanwhile: then the block is loaded when it is asked for, and
    // any other failure shows there, too.
    this.#ahead = this.#block(layer, options).then(
      () => undefined,
      () => void this.#blocks.delete(layer),
    );
  }

  /** Says that a block has been submitted: its weights go, unless all stay. */
  async release(layer: number): Promise<void> {
    if (this.isResident) return;
    await this.#blocks.get(layer)?.catch(() => undefined);
    this.#blocks.delete(layer);
    this.#free(layer);
  }

  /** Hands lm_head over in slices of whole rows, in order; each is valid during the call only. */
  async forEachHeadSlice(
    use: (slice: Tensor, firstToken: number) => Promise<void>,
    options: ReadOptions,
  ): Promise<void> {
    const { head } = this.architecture;
    if (this.#head) return use(this.#head, 0);
    const [vocabulary = 0] = head.shape;
    const rowBytes = weightEntry(this.checkpoint, head).bytes / vocabulary;
    const free = this.gpu.memoryLimit - this.gpu.allocatedBytes;
    const sliceBytes = Math.min(HEAD_SLICE_BYTES, this.gpu.bindingLimit, free / 2);
    // An even number of rows, so that packed rows of odd length begin at whole words.
    const rows = Math.max(2, 2 * Math.floor(sliceBytes / rowBytes / 2));
    for (let first = 0; first < vocabulary; first += rows) {
      using slice = await this.#reader.loadRows(head, first, Math.min(rows, vocabulary - first), options);
      await this.#reader.checkFinite([slice]);
      await use(slice, first);
      await this.gpu.finish();
    }
  }

  /** Frees what a run that failed had asked for ahead. */
  async reset(): Promise<void> {
    if (this.isResident) return;
    await this.#ahead;
    for (const layer of [...this.#blocks.keys()]) await this.release(layer);
  }

  dispose(): void {
    this.#disposed = true;
    this.#head?.dispose();
    if (this.#finalNorm) disposeAll(this.#finalNorm);
    this.#blocks.clear();
    for (const layer of [...this.#arrived.keys()]) this.#free(layer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #block(layer: number, options: ReadOptions): Promise<BlockWeights> {
    let block = this.#blocks.get(layer);
    if (!block) {
      block = this.#reader.load(this.architecture.blockWeights(layer), options).then((weights) => {
        this.#arrived.set(layer, weights);
        if (this.#disposed) this.#free(layer);
        return weights;
      });
      this.#blocks.set(layer, block);
    }
    return block;
  }

  #free(layer: number): void {
    const weights = this.#arrived.get(layer);
    this.#arrived.delete(layer);
    if (weights) disposeAll(weights);
  }

  #bytes(specs: readonly WeightSpec[]): number {
    return specs.reduce((sum, spec) => sum + weightBytes(this.checkpoint, spec), 0);
  }
}

function disposeAll(weights: BlockWeights): void {
  for (const tensor of Object.values(weights)) tensor.dispose();
}
