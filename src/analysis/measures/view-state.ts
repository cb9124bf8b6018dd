import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { MeasuredMatrix } from '../measure-matrices.ts';
import { prepareMatrix } from '../prepare-matrix.ts';
import { rowNorms } from '../views.ts';
import type { View } from '../views.ts';
import { centredColumns } from './centred.ts';
import type { PromptEntropy } from './entropy.ts';
import { directions } from './rows.ts';
import type { Directions } from './rows.ts';

export interface ViewStateOptions {
  /** What error messages call the view. */
  readonly name: string;
  /** Percents of variance for the effective dimensions. */
  readonly thresholds: readonly number[];
  readonly signal?: AbortSignal;
  /** The view's spectrum; undefined if no measure needs it. */
  readonly measured?: MeasuredMatrix | undefined;
  /** Its prompt entropy, if that is asked for. */
  readonly entropy?: PromptEntropy | undefined;
}

/** What the measures of one view read. What several of them need is made once, when it is first asked for. */
export class ViewState {
  #numbers: { values: Float32Array<ArrayBuffer>; exponent: number } | undefined;
  #centred: Float64Array<ArrayBuffer> | undefined;

  constructor(
    readonly gpu: Gpu,
    readonly view: View,
    readonly options: ViewStateOptions,
  ) {}

  /** The view's spectrum. */
  get spectrum(): MeasuredMatrix {
    const { measured } = this.options;
    if (!measured) throw new TypeError('a measure that needs the spectrum does not say so in the table');
    return measured;
  }

  /** The view's prompt entropy. */
  get entropy(): PromptEntropy {
    const { entropy } = this.options;
    if (!entropy) throw new TypeError('prompt entropies are computed before the other measures');
    return entropy;
  }

  /** The view divided by 2^exponent, except for a constant in every column; see `prepareMatrix`. */
  get numbers(): { readonly values: Float32Array<ArrayBuffer>; readonly exponent: number } {
    const { rows, columns } = this.view;
    return (this.#numbers ??= prepareMatrix(this.view.values(), rows, columns, this.options.name));
  }

  /** The view minus its column means, divided by 2^exponent of `numbers`, row-major. */
  get centred(): Float64Array<ArrayBuffer> {
    return (this.#centred ??= centredColumns(this.numbers.values, this.view.rows, this.view.columns));
  }

  /** The directions of the view's rows. */
  get directions(): Directions {
    return directions(this.view.values(), this.view.columns);
  }

  /** The directions of the centred rows. */
  get centredDirections(): Directions {
    const { columns } = this.view;
    const magnitude = rowNorms(this.numbers.values, columns).reduce((max, norm) => Math.max(max, norm), 0);
    return directions(this.centred, columns, magnitude);
  }
}
