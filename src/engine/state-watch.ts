import { NumericalError } from './errors.ts';
import { recordFindNonfinite } from './find-nonfinite.ts';
import type { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Tensor } from './gpu/tensor.ts';
import { bindableRows, rowsOf } from './gpu/row-ranges.ts';

/** Watches the states for NaN and infinities, without waiting for the GPU until the end. */
export class StateWatch implements Disposable {
  readonly #found: GPUBuffer;
  #states = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly most: number,
  ) {
    this.#found = gpu.allocate('nonfinite states', 4 * most);
  }

  watch(pass: ForwardPass, tensor: Tensor): void {
    const slot = this.#states++;
    for (const [first, rows] of bindableRows(this.gpu, tensor)) {
      const found = { buffer: this.#found, slot };
      recordFindNonfinite(pass.recorder, rowsOf(tensor, first, rows), rows * tensor.shape[1]!, 'F32', found);
    }
  }

  /** @throws NumericalError naming the first state that is not finite. */
  async check(): Promise<void> {
    const flags = new Uint32Array(await this.gpu.readBytes(this.#found, 0, 4 * this.most));
    const layer = flags.findIndex((flag) => flag !== 0);
    if (layer >= 0) {
      throw new NumericalError(
        `hidden state ${layer} holds a NaN or an infinity: the activations leave float32's range; check the weights`,
        { code: 'state-not-finite', subject: { kind: 'activation', name: `hidden state ${layer}` } },
      );
    }
  }

  [Symbol.dispose](): void {
    this.gpu.free(this.#found);
  }
}
