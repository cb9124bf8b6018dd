import type { ModelDescription } from './description.ts';
import { NumericalError } from './errors.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import { HEAD_SLICE_BYTES, planWeights } from './memory.ts';
import { weightBytes, WeightReader } from './weights.ts';
import type { ReadOptions, Weight } from './weights.ts';

/** Columns of the largest tile of a folded product. */
const LARGEST_TILE = 128;
/** What the search for NaN takes besides a block's weights. */
const FLAGS_BYTES = 256;

type BlockWeights = Record<string, Tensor>;

/**
 * The weights on their way to the GPU. A forward pass needs each layer's weights once. If they do not all fit, they stream:
 * while one block computes, the weights of the next are uploaded. At most two blocks are there at once.
 */
export class WeightStore implements Disposable {
  /** Whether every weight stays on the GPU between runs. */
  readonly isResident: boolean;
  readonly #reader: WeightReader;
  readonly #blocks = new Map<number, Promise<BlockWeights>>();
  /** Those of the blocks that have arrived, so that `dispose` can free them at once. */
  readonly #arrived = new Map<number, BlockWeights>();
  /** Settles when the block that was asked for ahead has arrived or has failed. It never rejects. */
  #ahead: Promise<void> | undefined;
  #head: Tensor | undefined;
  #headFault: NumericalError | undefined;
  #final: BlockWeights | undefined;
  #finalFault: NumericalError | undefined;
  #disposed = false;
  #hasToldTiny = false;

  /**
   * @param reserve bytes to leave free for everything that is not a weight
   * @param guestReserve those of them that the reader of the states may take
   */
  constructor(
    private readonly gpu: Gpu,
    private readonly description: ModelDescription,
    reserve: number,
    private readonly guestReserve: number,
  ) {
    this.#reader = new WeightReader(gpu);
    this.isResident = planWeights(description.sizes, reserve, gpu.memoryLimit).isResident;
  }

  /** Bytes of the files that `load` reads. */
  get residentFileBytes(): number {
    if (this.isResident) return this.description.sizes.read;
    return Object.values(this.description.weights.final).reduce((sum, { entry }) => sum + entry.bytes, 0);
  }

  blockBytes(layer: number): number {
    const block = this.description.weights.blocks[layer]!;
    return Object.values(block).reduce((sum, weight) => sum + weightBytes(weight), 0);
  }

  /** Brings everything that stays to the GPU: all weights if they fit, else the final norm alone. */
  async load(options: ReadOptions): Promise<void> {
    await this.#loadAll(options);
    await this.gpu.finish(); // reports what the GPU refused
  }

  async #loadAll(options: ReadOptions): Promise<void> {
    const { final, blocks, head } = this.description.weights;
    const loadedFinal = await numbersOrFault(this.#load(final, options));
    if (loadedFinal instanceof NumericalError) this.#finalFault = loadedFinal;
    else this.#final = loadedFinal;
    if (!this.isResident) return;
    for (const layer of blocks.keys()) await this.#block(layer, options);
    if (!head) return;
    const loadedHead = await numbersOrFault(this.#load({ head }, options));
    if (loadedHead instanceof NumericalError) this.#headFault = loadedHead;
    else this.#head = loadedHead.head;
  }

  /** What is wrong with the final norm's numbers, if anything is; the last state and logits need them. */
  get finalFault(): NumericalError | undefined {
    return this.#finalFault;
  }

  /** What is wrong with the numbers that logits alone need, if anything is. */
  async headFault(options: ReadOptions): Promise<NumericalError | undefined> {
    if (this.isResident || this.#finalFault) return this.#finalFault ?? this.#headFault;
    const slices = this.forEachHeadSlice(() => Promise.resolve(), options);
    return (await numbersOrFault(slices)) ?? undefined;
  }

  /** The final layer norm's weights, which stay. @throws NumericalError if they hold a NaN or an infinity. */
  get final(): BlockWeights {
    if (this.#finalFault) throw this.#finalFault;
    return this.#final!;
  }

  /** A block's weights. */
  async block(layer: number, options: ReadOptions): Promise<BlockWeights> {
    await this.#ahead;
    return this.#block(layer, options);
  }

  /**
   * Starts to load a block that will be asked for next, where there is room for it. Call it when the block before is
   * recorded, so that the activations have their memory first.
   * @param reserve bytes that this run will take besides, and has not yet
   */
  loadAhead(layer: number, options: ReadOptions, reserve = 0): void {
    if (this.isResident || layer >= this.description.config.layers) return;
    const needed = this.blockBytes(layer) + FLAGS_BYTES + this.guestReserve + reserve;
    if (this.gpu.allocatedBytes + needed > this.gpu.memoryLimit) return;
    // The reader of a state may have taken the room meanwhile: then the block is loaded when it is asked for, and
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

  /** Hands the head over in slices of whole rows, in order; each is valid during the call only. */
  async forEachHeadSlice(
    use: (slice: Tensor, firstToken: number) => Promise<void>,
    options: ReadOptions,
  ): Promise<void> {
    const { head } = this.description.weights;
    if (!head) return;
    if (this.#headFault) throw this.#headFault;
    if (this.#head) return use(this.#head, 0);
    const [vocabulary = 0] = head.shape;
    const rowBytes = weightBytes(head) / vocabulary;
    const free = this.gpu.memoryLimit - this.gpu.allocatedBytes;
    const sliceBytes = Math.min(HEAD_SLICE_BYTES, this.gpu.bindingLimit, free / 2);
    // An even number of rows, so that packed rows of odd length begin at whole words; where there is room for them, whole
    // tiles of the folded product.
    const most = Math.floor(sliceBytes / rowBytes);
    const step = most < LARGEST_TILE ? 2 : LARGEST_TILE;
    const rows = Math.max(2, step * Math.floor(most / step));
    for (let first = 0; first < vocabulary; first += rows) {
      using slice = await this.#reader.loadRows(head, first, Math.min(rows, vocabulary - first), options);
      await this.#reader.checkFinite([slice], [head]);
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
    if (this.#final) disposeAll(this.#final);
    this.#blocks.clear();
    for (const layer of [...this.#arrived.keys()]) this.#free(layer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #block(layer: number, options: ReadOptions): Promise<BlockWeights> {
    let block = this.#blocks.get(layer);
    if (!block) {
      block = this.#load(this.description.weights.blocks[layer]!, options).then((weights) => {
        this.#arrived.set(layer, weights);
        if (this.#disposed) this.#free(layer);
        return weights;
      });
      this.#blocks.set(layer, block);
    }
    return block;
  }

  #load<Role extends string>(
    weights: Readonly<Record<Role, Weight>>,
    options: ReadOptions,
  ): Promise<Record<Role, Tensor>> {
    return this.#reader.load(weights, {
      ...options,
      onTiny: ({ name, entry }) => {
        if (this.#hasToldTiny) return;
        this.#hasToldTiny = true;
        this.description.onNotice?.(
          `tensor ${name} in ${entry.source.name}, and perhaps others, has only numbers below float32's normal range (1.2e-38); GPUs may treat all of them as 0`,
        );
      },
    });
  }

  #free(layer: number): void {
    const weights = this.#arrived.get(layer);
    this.#arrived.delete(layer);
    if (weights) disposeAll(weights);
  }
}

/** What was loaded, or why its numbers cannot be computed with; any other failure is thrown. */
async function numbersOrFault<T>(loading: Promise<T>): Promise<T | NumericalError> {
  try {
    return await loading;
  } catch (error) {
    if (error instanceof NumericalError) return error;
    throw error;
  }
}

function disposeAll(weights: BlockWeights): void {
  for (const tensor of Object.values(weights)) tensor.dispose();
}
