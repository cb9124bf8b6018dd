import { activationCode } from './activations.ts';
import type { Activation } from './activations.ts';
import type { LinearWeights as WeightsOf } from './architectures/steps.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { BufferRange } from './gpu/kernel.ts';
import type { Recording } from './gpu/pace.ts';
import { bindableRows, rowsOf, shortRuns } from './gpu/row-ranges.ts';
import type { Tensor } from './gpu/tensor.ts';
import { weightFormat } from './kernels.ts';
import { activationRun, productRun } from './product-variants.ts';
import type { ProductShape } from './product-variants.ts';

export type LinearWeights = WeightsOf<Tensor>;

/**
 * Records output ← activation(input · weight + bias), or with `accumulate` activation(output + …).
 *
 * A weight split by rows takes part after part: the rows of [out, in] are columns of the output; those of [in, out] are
 * terms of every sum, which build up in the output until the last part adds bias and activation.
 *
 * @param input F32 [rows, in]
 * @param output F32 [rows, out], or wider
 * @param firstOutput the column of the output at which the product stands
 */
export function recordLinear(
  gpu: Gpu,
  recording: Recording,
  input: Tensor,
  output: Tensor,
  { weight, bias, layout, activation }: LinearWeights,
  accumulate: boolean,
  firstOutput = 0,
): void {
  const isTransposed = layout === '[out, in]';
  weight.parts.forEach((part, index) => {
    const isLast = index === weight.parts.length - 1;
    const isWhole = isTransposed || isLast;
    recordProduct(gpu, recording, {
      input,
      output,
      weight: { buffer: part.buffer },
      format: weightFormat(weight.dtype),
      isTransposed,
      inner: isTransposed ? weight.shape[1]! : part.rows,
      columns: isTransposed ? part.rows : weight.shape[1]!,
      firstInput: isTransposed ? 0 : part.firstRow,
      firstOutput,
      firstColumn: isTransposed ? part.firstRow : 0,
      firstWeight: 0,
      accumulate: accumulate || (!isTransposed && index > 0),
      bias: isWhole ? bias : undefined,
      activation: isWhole ? activation : undefined,
    });
  });
}

/**
 * Records the logits of some rows of lm_head: output F32 [rows, tokens] ← input F32 [rows, width] · part[firstRow …]ᵀ.
 * @param part [any number of rows, width], in one buffer
 */
export function recordLogits(
  gpu: Gpu,
  recording: Recording,
  input: Tensor,
  part: { readonly buffer: GPUBuffer; readonly format: number },
  firstRow: number,
  output: Tensor,
): void {
  recordProduct(gpu, recording, { ...headProduct(input, part, firstRow), output, columns: output.shape[1]! });
}

/**
 * Records the maximum, the sum of exponentials and the maximum's place for each row and tile of lm_head's tokens, in place
 * of their logits: parts F32 [rows, 3 · tiles], for fold-log-softmax-tiles.wgsl.
 * @param tokens of the part, from `firstRow` on
 */
export function recordFoldedLogits(
  gpu: Gpu,
  recording: Recording,
  input: Tensor,
  part: { readonly buffer: GPUBuffer; readonly format: number },
  firstRow: number,
  tokens: number,
  parts: Tensor,
): void {
  recordProduct(gpu, recording, {
    ...headProduct(input, part, firstRow),
    output: parts,
    columns: tokens,
    folded: true,
  });
}

/** Whether the logits of a part of lm_head can be folded: the kernel reads whole vec4s. */
export function canFoldLogits(input: Tensor, part: { readonly buffer: GPUBuffer }): boolean {
  return input.shape[1]! % 4 === 0 && areUnits({ buffer: part.buffer });
}

function headProduct(
  input: Tensor,
  part: { readonly buffer: GPUBuffer; readonly format: number },
  firstRow: number,
): Omit<Product, 'output' | 'columns'> {
  const width = input.shape[1]!;
  return {
    input,
    weight: { buffer: part.buffer },
    format: part.format,
    isTransposed: true,
    inner: width,
    firstInput: 0,
    firstOutput: 0,
    firstColumn: 0,
    firstWeight: firstRow * width,
    accumulate: false,
    bias: undefined,
    activation: undefined,
  };
}

interface Product {
  readonly input: Tensor;
  readonly output: Tensor;
  readonly weight: BufferRange;
  readonly format: number;
  readonly isTransposed: boolean;
  readonly inner: number;
  readonly columns: number;
  readonly firstInput: number;
  readonly firstOutput: number;
  readonly firstColumn: number;
  readonly firstWeight: number;
  readonly accumulate: boolean;
  readonly bias: Tensor | undefined;
  readonly activation: Activation | undefined;
  readonly folded?: boolean;
}

/** Whether bindings are made of whole vec4s, as the kernel of large tiles declares them. */
function areUnits(...bindings: readonly BufferRange[]): boolean {
  return bindings.every(({ buffer, offset = 0, size = buffer.size - offset }) => size % 16 === 0);
}

function recordProduct(gpu: Gpu, recording: Recording, product: Product): void {
  const { input, output } = product;
  const rowWork = 2 * product.inner * product.columns;
  for (const [first, rows] of shortRuns(bindableRows(gpu, input, output), recording.budget / rowWork)) {
    const { product: chosen } = gpu.tuning;
    const isTiled =
      product.folded || (chosen === 'tiles' && areUnits(rowsOf(input, first, rows), product.weight));
    const variant = isTiled ? 'tiles' : chosen === 'tiles' ? 'staged' : chosen;
    const shape: ProductShape = {
      ...product,
      rows,
      inputStride: input.shape[1]!,
      outputStride: output.shape[1]!,
      hasBias: product.bias !== undefined,
      activation: product.activation ? activationCode(product.activation) : 0,
    };
    const { kernel, ...run } = productRun(variant, shape, gpu.tuning);
    const target = rowsOf(output, first, rows);
    recording.recorder.dispatch(kernel, {
      bindings: {
        input: rowsOf(input, first, rows),
        weight: product.weight,
        // A kernel binds what it does not read, too: any buffer will do.
        bias: product.bias?.buffer ?? product.weight.buffer,
        output: target,
      },
      ...run,
    });
    const after = activationRun(variant, shape);
    if (after) {
      const { kernel: activation, ...activationRest } = after;
      recording.recorder.dispatch(activation, { bindings: { values: target }, ...activationRest });
    }
    recording.count(rows * rowWork);
  }
}
