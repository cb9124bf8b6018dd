import type {
  AttentionLayout,
  HeadSlice,
  LinearWeights,
  NormWeights,
  RmsNormWeights,
  RotaryLayout,
  Scratch,
  Shaped,
  Steps,
} from './architectures/steps.ts';
import { bytesPerElement, elementCount } from './gpu/tensor.ts';
import type { Dtype } from './gpu/tensor.ts';
import { PIECE_BYTES } from './hooks/pattern-pieces.ts';
import { noHooks } from './hooks/spec.ts';
import type { AskedHooks, HookSpec } from './hooks/spec.ts';
import { addWork } from './work.ts';
import type { Work, WorkByKernel } from './work.ts';

/** What the steps are counted on: a shape, and how its elements are kept on the GPU. */
export interface Counted extends Shaped {
  readonly dtype: Dtype;
}

/** A matrix that each position is multiplied with. */
export interface CountedProduct {
  readonly dtype: Dtype;
  readonly layout: LinearWeights<Counted>['layout'];
  readonly inner: number;
  readonly columns: number;
}

/** Counts what the steps of a forward pass take, without a GPU: an architecture's blocks run on it as on a batch. */
export class Tally implements Steps<Counted> {
  readonly residual: Counted;
  readonly products: CountedProduct[] = [];
  /** Every named activation, in the order of the pass. */
  readonly hooks: HookSpec[] = [];
  readonly #work = new Map<string, Work>();
  readonly #buffers = new Map<string, number>();
  #part = '';

  /**
   * @param sequences B
   * @param tokens T, the length of each sequence
   * @param width of the residual stream
   * @param asked the activations that are looked at or changed: steps that are taken apart for them take more
   */
  constructor(
    private readonly sequences: number,
    private readonly tokens: number,
    width: number,
    private readonly asked: AskedHooks = noHooks,
  ) {
    this.residual = this.#take('residual', width);
  }

  /** Bytes of all buffers that the steps write. */
  get bytes(): number {
    return [...this.#buffers.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Floating-point operations of all steps. */
  get operations(): number {
    return [...this.#work.values()].reduce((sum, { operations }) => sum + operations, 0);
  }

  /**
   * What each kernel does in all steps. Operations: two for each element of a matrix and position, and attention's, of
   * which causality leaves half. Those of norms, activations and rotations are left out: they are a thousandth.
   */
  get work(): WorkByKernel {
    return Object.fromEntries(this.#work);
  }

  enter(part: string): void {
    this.#part = part;
  }

  activation(name: string, { shape }: Counted, slice?: HeadSlice): void {
    this.#name(name, slice?.headWidth ?? shape[1]!, slice?.heads);
  }

  /** Takes note of an embedding, which is added to the residual stream unless it is the first. */
  embedding(name: string, isFirst: boolean): void {
    const width = this.residual.shape[1]!;
    if (this.#name(name, width) && !isFirst) this.#take('branch', width);
  }

  layerNorm(input: Counted, into: Scratch, { weight, bias, name }: NormWeights<Counted>): Counted {
    this.#nameNorm(name, input.shape[1]!);
    const output = this.#take(into, input.shape[1]!);
    this.#count('layer-norm', 0, bytesOf(input, output, weight, bias));
    return output;
  }

  rmsNorm(input: Counted, into: Scratch, { weight, name }: RmsNormWeights<Counted>): Counted {
    this.#nameNorm(name, input.shape[1]!);
    const output = this.#take(into, input.shape[1]!);
    this.#count('rms-norm', 0, bytesOf(input, output, weight));
    return output;
  }

  normHeads(target: Counted, { heads, headWidth }: HeadSlice, { weight }: RmsNormWeights<Counted>): void {
    const normed = 4 * target.shape[0]! * heads * headWidth;
    this.#count('head-norm', 0, 2 * normed + bytesOf(weight)); // read and written
  }

  linear(input: Counted, into: Scratch, weights: LinearWeights<Counted>): Counted {
    return this.linears(input, into, [weights]);
  }

  linears(input: Counted, into: Scratch, products: readonly LinearWeights<Counted>[]): Counted {
    const columns = products.reduce((sum, weights) => sum + columnsOf(weights), 0);
    const output = this.#take(into, columns);
    for (const weights of products) {
      if (weights.name !== undefined) this.#name(weights.name, columnsOf(weights));
      this.#multiply(input, weights, 4 * output.shape[0]! * columnsOf(weights));
    }
    return output;
  }

  multiply(target: Counted, factor: Counted): void {
    this.#count('multiply', 0, bytesOf(target, target, factor)); // the target is read and written
  }

  addLinear(input: Counted, target: Counted, weights: LinearWeights<Counted>): void {
    const columns = columnsOf(weights);
    if (weights.name !== undefined && this.#name(weights.name, columns)) this.#take('branch', columns);
    this.#multiply(input, weights, 2 * bytesOf(target)); // read and written
  }

  rotate(_queryKeyValue: Counted, { heads, keyValueHeads = heads, dimensions }: RotaryLayout): void {
    const frequencies = Math.ceil(dimensions / 2);
    const table = 4 * this.tokens * frequencies;
    for (const name of ['cosines', 'sines']) this.#buffers.set(name, table);
    // Of each head's query and key, what turns is read and written.
    const turned = 4 * this.sequences * this.tokens * (heads + keyValueHeads) * 2 * frequencies;
    this.#count('rotary', 0, 2 * table + 2 * turned);
  }

  attention(queryKeyValue: Counted, into: Scratch, { heads, headWidth, name }: AttentionLayout): Counted {
    if (name !== undefined) {
      for (const hook of ['hook_attn_scores', 'hook_pattern']) this.#namePattern(`${name}.${hook}`, heads);
      this.#name(`${name}.hook_z`, headWidth, heads);
    }
    const output = this.#take(into, heads * headWidth);
    const operations = this.sequences * 2 * this.tokens * (this.tokens + 1) * heads * headWidth;
    this.#count('attention', operations, bytesOf(queryKeyValue, output));
    return output;
  }

  /** Takes note of a norm's activations. */
  #nameNorm(name: string | undefined, width: number): void {
    if (name === undefined) return;
    const isScaleAsked = this.#name(`${name}.hook_scale`, 1);
    const isNormalizedAsked = this.#name(`${name}.hook_normalized`, width);
    if (isScaleAsked || isNormalizedAsked) this.#take('normStatistics', 3);
    if (isNormalizedAsked) this.#take('normalised', width);
    this.#name(`${name}.hook_out`, width);
  }

  /** Takes note of an activation in rows. @returns whether it is asked for */
  #name(name: string, width: number, heads?: number): boolean {
    const whole = this.#part + name;
    this.hooks.push({ name: whole, axes: 'rows', heads, width });
    return this.asked.wants(whole);
  }

  /** Takes note of a pattern, or of the scores of one, which exists in pieces. */
  #namePattern(name: string, heads: number): void {
    const whole = this.#part + name;
    const row = 4 * this.tokens;
    this.hooks.push({ name: whole, axes: 'pattern', heads, width: this.tokens });
    if (!this.asked.wants(whole)) return;
    this.#buffers.set('pattern', Math.max(row, Math.min(PIECE_BYTES, row * heads * this.tokens)));
  }

  #multiply(input: Counted, weights: LinearWeights<Counted>, outputBytes: number): void {
    const { weight, bias, layout } = weights;
    const [inner, columns] = [elementCount(weight.shape) / columnsOf(weights), columnsOf(weights)];
    this.products.push({ dtype: weight.dtype, layout, inner, columns });
    this.#count(
      'matrix-product',
      2 * this.sequences * this.tokens * inner * columns,
      bytesOf(input, weight, ...(bias ? [bias] : [])) + outputBytes,
    );
  }

  #count(kernel: string, operations: number, bytes: number): void {
    this.#work.set(kernel, addWork(this.#work.get(kernel), { operations, bytes }));
  }

  #take(name: string, columns: number): Counted {
    const shape = [this.sequences * this.tokens, columns];
    this.#buffers.set(name, 4 * shape[0]! * columns);
    return { shape, dtype: 'F32' };
  }
}

function columnsOf({ weight, layout }: LinearWeights<Counted>): number {
  return weight.shape[layout === '[in, out]' ? 1 : 0]!;
}

function bytesOf(...tensors: readonly Counted[]): number {
  return tensors.reduce((sum, { shape, dtype }) => sum + bytesPerElement[dtype] * elementCount(shape), 0);
}
