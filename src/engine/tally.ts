import type {
  AttentionLayout,
  LinearWeights,
  NormWeights,
  RotaryLayout,
  Scratch,
  Shaped,
  Steps,
} from './architectures/steps.ts';

/** A matrix that each position is multiplied with. */
export interface CountedProduct {
  readonly weight: Shaped;
  readonly layout: LinearWeights<Shaped>['layout'];
  readonly inner: number;
  readonly columns: number;
}

/** Counts what the steps of a forward pass take, without a GPU: an architecture's blocks run on it as on a batch. */
export class Tally implements Steps<Shaped> {
  readonly residual: Shaped;
  /**
   * Floating-point operations: two for each element of a matrix and position, and attention's, of which causality
   * leaves half. Norms, activations and rotations are left out: they are a thousandth.
   */
  operations = 0;
  /** Whether positions are rotated in. */
  rotates = false;
  readonly products: CountedProduct[] = [];
  readonly #buffers = new Map<string, number>();

  /**
   * @param sequences B
   * @param tokens T, the length of each sequence
   * @param width of the residual stream
   */
  constructor(
    private readonly sequences: number,
    private readonly tokens: number,
    width: number,
  ) {
    this.residual = this.#take('residual', width);
  }

  /** Of all buffers that the steps write. */
  get bytes(): number {
    return [...this.#buffers.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  layerNorm(input: Shaped, into: Scratch, _norm: NormWeights<Shaped>): Shaped {
    return this.#take(into, input.shape[1]!);
  }

  linear(_input: Shaped, into: Scratch, weights: LinearWeights<Shaped>): Shaped {
    return this.#take(into, this.#multiply(weights));
  }

  addLinear(_input: Shaped, _target: Shaped, weights: LinearWeights<Shaped>): void {
    this.#multiply(weights);
  }

  rotate(_queryKeyValue: Shaped, { dimensions }: RotaryLayout): void {
    this.rotates = true;
    const frequencies = Math.ceil(dimensions / 2);
    for (const table of ['cosines', 'sines']) this.#buffers.set(table, 4 * this.tokens * frequencies);
  }

  attention(_queryKeyValue: Shaped, into: Scratch, { heads, headWidth }: AttentionLayout): Shaped {
    this.operations += this.sequences * 2 * this.tokens * (this.tokens + 1) * heads * headWidth;
    return this.#take(into, heads * headWidth);
  }

  /** Counts a product. @returns columns of what comes out */
  #multiply({ weight, layout }: LinearWeights<Shaped>): number {
    const [rows, width] = weight.shape as [number, number];
    const [inner, columns] = layout === '[in, out]' ? [rows, width] : [width, rows];
    this.operations += 2 * this.sequences * this.tokens * inner * columns;
    this.products.push({ weight, layout, inner, columns });
    return columns;
  }

  #take(name: string, columns: number): Shaped {
    const shape = [this.sequences * this.tokens, columns];
    this.#buffers.set(name, 4 * shape[0]! * columns);
    return { shape };
  }
}
