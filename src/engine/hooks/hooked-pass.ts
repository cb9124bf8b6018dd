import { activationCode } from '../activations.ts';
import type {
  AttentionLayout,
  HeadSlice,
  LinearWeights,
  NormWeights,
  RmsNormWeights,
  RotaryLayout,
  Scratch,
  Steps,
} from '../architectures/steps.ts';
import type { ForwardPass } from '../forward-pass.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { activate } from '../kernels.ts';
import { bindableRows, rowsOf } from '../gpu/row-ranges.ts';
import type { CapturedActivation } from './captures.ts';
import { captureRows, editRows } from './in-rows.ts';
import { add, normaliseRows, normStatistics, scaleShift } from './kernels.ts';
import { AttentionPatterns } from './pattern.ts';
import type { PlannedHooks } from './planned-hooks.ts';
import { HookTools } from './tools.ts';

/** A layer norm, or an RMS norm, which has no mean and no bias. */
type AnyNorm = RmsNormWeights<Tensor> & Partial<Pick<NormWeights<Tensor>, 'bias'>>;

const THREADS = 64;
/** norm-statistics.wgsl gives a rough mean, what is to be added to it, and the scale. */
const STATISTICS = 3;
const SCALE: HeadSlice = { heads: 1, headWidth: 1, headStride: 1, offset: 2 };

/**
 * A forward pass in which activations are looked at and changed. Steps are written down first and made by `run`, because
 * it may have to wait for a user's function. A step is split only if something within it is asked for. Otherwise
 * `ForwardPass` makes it as usual.
 */
export class HookedPass implements Steps<Tensor>, Disposable {
  readonly residual: Tensor;
  readonly #tools: HookTools;
  readonly #steps: (() => void | Promise<void>)[] = [];
  #part = '';

  /** @param deliver receives each captured activation, in the order of the pass; the run waits for it */
  constructor(
    private readonly pass: ForwardPass,
    private readonly hooks: PlannedHooks,
    deliver: (activation: CapturedActivation) => void | Promise<void>,
  ) {
    this.residual = pass.residual;
    this.#tools = new HookTools(pass, deliver);
  }

  enter(part: string): void {
    this.#part = part;
  }

  /** Makes the steps that were written down. They are submitted when `pass.submit` says so, or earlier. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0)) await step();
  }

  /** After a submission: hands over what was captured before, and starts to read what it captured. */
  async turn(): Promise<void> {
    this.#tools.uploads.free();
    await this.#tools.captures.turn();
  }

  /** After the last submission: hands over all that was captured. */
  async finish(): Promise<void> {
    this.#tools.uploads.free();
    await this.#tools.captures.finish();
  }

  [Symbol.dispose](): void {
    this.#tools[Symbol.dispose]();
  }

  /**
   * Adds an embedding to the residual stream, or begins it with the first.
   * @param record writes the embedding to a tensor, or adds it to what is there
   */
  async embed(
    name: string,
    isFirst: boolean,
    record: (target: Tensor, accumulate: boolean) => void,
  ): Promise<void> {
    this.enter('');
    const isApart = !isFirst && this.hooks.wants(name);
    const target = isApart ? this.pass.scratch('branch', this.pass.width) : this.residual;
    record(target, !isFirst && !isApart);
    if (isFirst || isApart) this.activation(name, target);
    await this.run();
    if (isApart) this.#add(target, this.residual);
  }

  activation(name: string, tensor: Tensor, slice?: HeadSlice): void {
    const whole = this.#part + name;
    if (!this.hooks.wants(whole)) return;
    const columns = tensor.shape[1]!;
    const heads = slice ?? { heads: 1, headWidth: columns, headStride: columns, offset: 0 };
    this.#steps.push(() => this.#visit(whole, tensor, heads));
  }

  layerNorm(input: Tensor, into: Scratch, norm: NormWeights<Tensor>): Tensor {
    return this.#normTo(into, input, norm, () => void this.pass.layerNorm(input, into, norm));
  }

  rmsNorm(input: Tensor, into: Scratch, norm: RmsNormWeights<Tensor>): Tensor {
    return this.#normTo(into, input, norm, () => void this.pass.rmsNorm(input, into, norm));
  }

  normHeads(target: Tensor, heads: HeadSlice, norm: RmsNormWeights<Tensor>): void {
    this.#steps.push(() => {
      this.pass.normHeads(target, heads, norm);
    });
  }

  linears(input: Tensor, into: Scratch, products: readonly LinearWeights<Tensor>[]): Tensor {
    const columns = products.map(({ weight, layout }) => weight.shape[layout === '[in, out]' ? 1 : 0]!);
    this.#steps.push(() => void this.pass.linears(input, into, products));
    return this.pass.scratch(
      into,
      columns.reduce((sum, count) => sum + count, 0),
    );
  }

  multiply(target: Tensor, factor: Tensor): void {
    this.#steps.push(() => {
      this.pass.multiply(target, factor);
    });
  }

  linear(input: Tensor, into: Scratch, weights: LinearWeights<Tensor>): Tensor {
    const { activation, name, ...plain } = weights;
    const output = this.pass.scratch(into, weights.weight.shape[weights.layout === '[in, out]' ? 1 : 0]!);
    const isWanted = name !== undefined && this.hooks.wants(this.#part + name);
    this.#steps.push(() => void this.pass.linear(input, into, isWanted ? plain : weights));
    if (!isWanted) return output;
    this.activation(name, output);
    if (activation)
      this.#steps.push(() => {
        this.#activate(output, activationCode(activation));
      });
    return output;
  }

  addLinear(input: Tensor, target: Tensor, weights: LinearWeights<Tensor>): void {
    const { name, ...plain } = weights;
    if (name === undefined || !this.hooks.wants(this.#part + name)) {
      this.#steps.push(() => {
        this.pass.addLinear(input, target, plain);
      });
      return;
    }
    const branch = this.pass.scratch('branch', target.shape[1]!);
    this.#steps.push(() => void this.pass.linear(input, 'branch', plain));
    this.activation(name, branch);
    this.#steps.push(() => {
      this.#add(branch, target);
    });
  }

  rotate(queryKeyValue: Tensor, layout: RotaryLayout): void {
    this.#steps.push(() => {
      this.pass.rotate(queryKeyValue, layout);
    });
  }

  attention(queryKeyValue: Tensor, into: Scratch, layout: AttentionLayout): Tensor {
    const { heads, headWidth, name } = layout;
    const output = this.pass.scratch(into, heads * headWidth);
    this.#steps.push(() => void this.pass.attention(queryKeyValue, into, layout));
    if (name === undefined) return output;
    const requests = {
      scores: this.#requestOf(`${name}.hook_attn_scores`),
      pattern: this.#requestOf(`${name}.hook_pattern`),
    };
    if (Object.values(requests).some(({ edits, capture }) => capture !== undefined || edits.length > 0)) {
      this.#steps.push(() =>
        new AttentionPatterns(this.#tools, queryKeyValue, output, layout, requests).run(),
      );
    }
    this.activation(`${name}.hook_z`, output, { heads, headWidth, headStride: headWidth, offset: 0 });
    return output;
  }

  /** @param whole makes the norm in one step */
  #normTo(into: Scratch, input: Tensor, norm: AnyNorm, whole: () => void): Tensor {
    const output = this.pass.scratch(into, input.shape[1]!);
    const { name } = norm;
    if (name === undefined) {
      this.#steps.push(whole);
      return output;
    }
    const part = this.#part + name;
    this.#steps.push(() => this.#norm(part, input, into, norm, whole));
    this.activation(`${name}.hook_out`, output);
    return output;
  }

  #requestOf(name: string) {
    const whole = this.#part + name;
    return { edits: this.hooks.editsOf(whole), capture: this.hooks.captureOf(whole) };
  }

  /** Changes what is in rows now, then captures it. */
  async #visit(name: string, tensor: Tensor, heads: HeadSlice): Promise<void> {
    for (const edit of this.hooks.editsOf(name)) await editRows(this.#tools, tensor, heads, edit);
    const capture = this.hooks.captureOf(name);
    if (capture) await captureRows(this.#tools, tensor, heads, capture);
  }

  /** A norm in steps, for its scale and for its values before weight and bias, if they are asked for. */
  async #norm(name: string, input: Tensor, into: Scratch, norm: AnyNorm, whole: () => void): Promise<void> {
    const [scale, normalized] = [`${name}.hook_scale`, `${name}.hook_normalized`];
    const { hooks, pass } = this;
    const isEdited = hooks.isEdited(scale) || hooks.isEdited(normalized);
    if (!isEdited) whole();
    if (!hooks.wants(scale) && !hooks.wants(normalized)) return;
    const width = input.shape[1]!;
    const statistics = pass.scratch('normStatistics', STATISTICS);
    this.#byRows([input, statistics], (first, rows) => {
      pass.recorder.dispatch(normStatistics, {
        bindings: { input: rowsOf(input, first, rows), statistics: rowsOf(statistics, first, rows) },
        uniforms: { rows, width, epsilon: norm.epsilon },
        constants: { threads: pass.gpu.tuning.normThreads, centred: Number(norm.bias !== undefined) },
        workgroups: [rows],
      });
    });
    await this.#visit(scale, statistics, SCALE);
    if (!isEdited && !hooks.wants(normalized)) return;
    const output = pass.scratch(isEdited ? into : 'normalised', width);
    this.#byRows([input, statistics, output], (first, rows) => {
      pass.recorder.dispatch(normaliseRows, {
        bindings: {
          input: rowsOf(input, first, rows),
          statistics: rowsOf(statistics, first, rows),
          output: rowsOf(output, first, rows),
        },
        uniforms: { rows, width },
        workgroups: [Math.ceil(width / THREADS), rows],
      });
    });
    await this.#visit(normalized, output, { heads: 1, headWidth: width, headStride: width, offset: 0 });
    if (!isEdited) return;
    this.#byRows([output], (first, rows) => {
      pass.recorder.dispatch(scaleShift, {
        bindings: {
          weight: norm.weight.buffer,
          bias: (norm.bias ?? norm.weight).buffer, // an RMS norm has none, and something must be bound
          values: rowsOf(output, first, rows),
        },
        uniforms: { rows, width },
        constants: { shifted: Number(norm.bias !== undefined) },
        workgroups: [Math.ceil(width / THREADS), rows],
      });
    });
  }

  /** values ← activation(values) */
  #activate(values: Tensor, activation: number): void {
    const columns = values.shape[1]!;
    this.#byRows([values], (first, rows) => {
      this.pass.recorder.dispatch(activate, {
        bindings: { values: rowsOf(values, first, rows) },
        uniforms: { rows, columns, stride: columns, first: 0 },
        constants: { activation },
        workgroups: [Math.ceil(columns / THREADS), rows],
      });
    });
  }

  /** total ← total + term */
  #add(term: Tensor, total: Tensor): void {
    const columns = total.shape[1]!;
    this.#byRows([term, total], (first, rows) => {
      this.pass.recorder.dispatch(add, {
        bindings: { term: rowsOf(term, first, rows), total: rowsOf(total, first, rows) },
        uniforms: { rows, columns },
        workgroups: [Math.ceil(columns / THREADS), rows],
      });
    });
  }

  #byRows(tensors: readonly Tensor[], record: (first: number, rows: number) => void): void {
    for (const [first, rows] of bindableRows(this.pass.gpu, ...tensors)) {
      record(first, rows);
      this.pass.count(rows * tensors[0]!.shape[1]!);
    }
  }
}
