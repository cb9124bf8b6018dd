import type {
  AttentionLayout,
  HeadSlice,
  LinearWeights,
  NormWeights,
  RmsNormWeights,
  RotaryLayout,
  Scratch,
  Steps,
} from './architectures/steps.ts';
import { recordAttention } from './attention.ts';
import type { Gpu } from './gpu/gpu.ts';
import { Pace } from './gpu/pace.ts';
import type { Recorder } from './gpu/recorder.ts';
import { elementCount, Tensor } from './gpu/tensor.ts';
import { alignedRowsOf, bindableRows, MAX_WORKGROUPS, rowsOf } from './gpu/row-ranges.ts';
import { headNorm, layerNorm, multiply, rmsNorm, rotary } from './kernels.ts';
import { recordLinear } from './matrix-product.ts';
import { rotaryTables } from './rotary.ts';

/** Scratch of the steps, and of steps that are taken apart where activations are looked at. */
export type ScratchName = Scratch | 'branch' | 'normalised' | 'normStatistics';
const ROTARY_THREADS = 64;
const ELEMENT_THREADS = 64;
/** Operations of a layer norm an element, about. */
const NORM_WORK = 12;

/**
 * One batch on its way through the blocks: the residual stream, scratch for the steps, and the steps themselves in the
 * words of the papers. Steps are recorded in order. They run when `submit` sends them.
 */
export class ForwardPass implements Steps<Tensor>, Disposable {
  /** F32 [B·T, width]. */
  readonly residual: Tensor;
  readonly #owned = new Map<string, Tensor>();
  readonly #pace: Pace;

  /**
   * @param sequences B
   * @param tokens T, the length of each sequence
   * @param width of the residual stream
   * @param signal ends every wait for the GPU
   */
  constructor(
    readonly gpu: Gpu,
    readonly sequences: number,
    readonly tokens: number,
    readonly width: number,
    readonly signal?: AbortSignal,
  ) {
    this.#pace = new Pace(gpu, 'forward', signal);
    this.residual = this.scratch('residual', width);
  }

  get recorder(): Recorder {
    return this.#pace.recorder;
  }

  /** Counts operations that were just recorded, approximately. */
  count(work: number): void {
    this.#pace.count(work);
  }

  /** Only passes that look at activations use names. */
  enter(): void {}
  activation(): void {}

  /** Sends the steps recorded so far to the GPU. Many operations are sent earlier, in pieces of bounded length. */
  submit(): void {
    this.#pace.submit();
  }

  /**
   * Waits until the GPU has little left of what was sent.
   * @throws DeviceError if the GPU rejected any of it, the signal's reason
   */
  async settle(): Promise<void> {
    await this.#pace.settle();
  }

  /** Waits until the GPU has done everything that was sent. @throws as `settle` does */
  async finish(): Promise<void> {
    await this.#pace.finish();
  }

  /** Normalises each row of input F32 [B·T, width]. */
  layerNorm(input: Tensor, into: ScratchName, { weight, bias, epsilon }: NormWeights<Tensor>): Tensor {
    const output = this.scratch(into, this.width);
    for (const [first, rows] of bindableRows(this.gpu, input, output)) {
      this.recorder.dispatch(layerNorm, {
        bindings: {
          input: rowsOf(input, first, rows),
          weight: weight.buffer,
          bias: bias.buffer,
          output: rowsOf(output, first, rows),
        },
        uniforms: { rows, width: this.width, epsilon },
        constants: { threads: this.gpu.tuning.normThreads },
        workgroups: [rows],
      });
      this.#pace.count(NORM_WORK * rows * this.width);
    }
    return output;
  }

  /** RMS norm of each row of input F32 [B·T, width]. */
  rmsNorm(input: Tensor, into: Scratch, { weight, epsilon }: RmsNormWeights<Tensor>): Tensor {
    const width = input.shape[1]!;
    const output = this.scratch(into, width);
    for (const [first, rows] of bindableRows(this.gpu, input, output)) {
      this.recorder.dispatch(rmsNorm, {
        bindings: {
          input: rowsOf(input, first, rows),
          weight: weight.buffer,
          output: rowsOf(output, first, rows),
        },
        uniforms: { rows, width, epsilon },
        constants: { threads: this.gpu.tuning.normThreads },
        workgroups: [rows],
      });
      this.#pace.count(NORM_WORK * rows * width);
    }
    return output;
  }

  /** RMS norm of each of the heads in the rows of target, in place. */
  normHeads(target: Tensor, slice: HeadSlice, { weight, epsilon }: RmsNormWeights<Tensor>): void {
    const { heads, headWidth, headStride, offset } = slice;
    for (const [first, rows] of bindableRows(this.gpu, target)) {
      this.recorder.dispatch(headNorm, {
        bindings: { weight: weight.buffer, values: rowsOf(target, first, rows) },
        uniforms: { stride: target.shape[1]!, headWidth, headStride, offset, epsilon },
        constants: { threads: this.gpu.tuning.normThreads },
        workgroups: [rows, heads],
      });
      this.#pace.count(NORM_WORK * rows * heads * headWidth);
    }
  }

  /** activation(input · weight + bias): F32 [B·T, out]. */
  linear(input: Tensor, into: ScratchName, weights: LinearWeights<Tensor>): Tensor {
    return this.linears(input, into, [weights]);
  }

  /** Several products of one input, side by side: F32 [B·T, sum of their out]. */
  linears(input: Tensor, into: ScratchName, products: readonly LinearWeights<Tensor>[]): Tensor {
    const columns = products.map(({ weight, layout }) => weight.shape[layout === '[in, out]' ? 1 : 0]!);
    const output = this.scratch(
      into,
      columns.reduce((sum, count) => sum + count, 0),
    );
    let first = 0;
    for (const [index, weights] of products.entries()) {
      recordLinear(this.gpu, this.#pace, input, output, weights, false, first);
      first += columns[index]!;
    }
    return output;
  }

  /** target ← target · factor, element by element. */
  multiply(target: Tensor, factor: Tensor): void {
    const width = target.shape[1]!;
    for (const [first, rows] of bindableRows(this.gpu, target, factor)) {
      this.recorder.dispatch(multiply, {
        bindings: { factors: rowsOf(factor, first, rows), values: rowsOf(target, first, rows) },
        uniforms: { rows, width },
        workgroups: [Math.ceil(width / ELEMENT_THREADS), rows],
      });
      this.#pace.count(rows * width);
    }
  }

  /** target ← target + input · weight + bias. */
  addLinear(input: Tensor, target: Tensor, weights: LinearWeights<Tensor>): void {
    recordLinear(this.gpu, this.#pace, input, target, weights, true);
  }

  /** Rotates the first `dimensions` of each query and key in place, by its position. */
  rotate(queryKeyValue: Tensor, layout: RotaryLayout): void {
    const { heads, keyValueHeads: keyHeads = heads, headStride, keyOffset, dimensions } = layout;
    const half = Math.ceil(dimensions / 2);
    const pairs = (heads + keyHeads) * half;
    const { cosines, sines } = this.#rotaryTables(layout);
    for (let sequence = 0; sequence < this.sequences; sequence++) {
      for (let firstPosition = 0; firstPosition < this.tokens; firstPosition += MAX_WORKGROUPS) {
        const positions = Math.min(MAX_WORKGROUPS, this.tokens - firstPosition);
        const { binding, firstElement } = alignedRowsOf(
          this.gpu,
          queryKeyValue,
          sequence * this.tokens + firstPosition,
          positions,
        );
        this.recorder.dispatch(rotary, {
          bindings: { cosines: cosines.buffer, sines: sines.buffer, queryKeyValue: binding },
          uniforms: {
            stride: queryKeyValue.shape[1]!,
            heads,
            headStride,
            keyOffset,
            half,
            firstElement,
            keyHeads,
            firstPosition,
          },
          workgroups: [Math.ceil(pairs / ROTARY_THREADS), positions],
        });
        this.#pace.count(6 * pairs * positions);
      }
    }
  }

  /** Causal attention within each sequence: F32 [B·T, heads · headWidth]. */
  attention(queryKeyValue: Tensor, into: ScratchName, layout: AttentionLayout): Tensor {
    const output = this.scratch(into, layout.heads * layout.headWidth);
    recordAttention(this.gpu, this.#pace, queryKeyValue, output, layout, this);
    return output;
  }

  /** Scratch F32 [B·T, columns], allocated once. It is never split: attention needs a sequence in one binding. */
  scratch(name: ScratchName | 'residual', columns: number): Tensor {
    let tensor = this.#owned.get(name);
    if (!tensor) {
      const rows = this.sequences * this.tokens;
      const shape = [rows, columns];
      const buffer = this.gpu.allocate(name, 4 * elementCount(shape));
      tensor = new Tensor(this.gpu, name, shape, 'F32', [{ buffer, firstRow: 0, rows }]);
      this.#owned.set(name, tensor);
    }
    return tensor;
  }

  /**
   * Some sequences' rows as a binding.
   * @throws DeviceError if a binding cannot hold them
   */
  sequenceRows(tensor: Tensor, first: number, count: number): ReturnType<typeof alignedRowsOf> {
    return alignedRowsOf(this.gpu, tensor, first * this.tokens, count * this.tokens);
  }

  dispose(): void {
    for (const tensor of this.#owned.values()) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #rotaryTables(frequencies: RotaryLayout): { cosines: Tensor; sines: Tensor } {
    let cosines = this.#owned.get('cosines');
    let sines = this.#owned.get('sines');
    if (!cosines || !sines) {
      const tables = rotaryTables(this.tokens, frequencies);
      const shape = [tables.cosines.length];
      cosines = this.gpu.upload('cosines', shape, tables.cosines);
      this.#owned.set('cosines', cosines);
      sines = this.gpu.upload('sines', shape, tables.sines);
      this.#owned.set('sines', sines);
    }
    return { cosines, sines };
  }
}
