import { activationCode } from './activations.ts';
import type { Activation } from './activations.ts';
import type { LinearWeights as WeightsOf } from './architectures/steps.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { BufferRange, PipelineRequest } from './gpu/kernel.ts';
import type { Recording } from './gpu/pace.ts';
import { bindableRows, rowsOf, shortRuns } from './gpu/row-ranges.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { ProductVariant, Tuning } from './gpu/tuning.ts';
import { activate, matrixProduct, matrixProductLanes, matrixProductTiles, weightFormat } from './kernels.ts';

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

/** A matrix product in numbers: what matrix-product.wgsl says of each. */
export interface ProductShape {
  readonly rows: number;
  readonly columns: number;
  readonly inner: number;
  readonly inputStride: number;
  readonly firstInput: number;
  readonly outputStride: number;
  readonly firstOutput: number;
  readonly firstColumn: number;
  readonly firstWeight: number;
  readonly format: number;
  readonly isTransposed: boolean;
  readonly hasBias: boolean;
  readonly accumulate: boolean;
  readonly activation: number;
  /** Whether three numbers of each row and tile are the output, as matrix-product-tiles.wgsl says. */
  readonly folded?: boolean;
}

/** Columns of a tile of a folded product. */
export function foldedTileColumns({ largeTilesFrom }: Pick<Tuning, 'largeTilesFrom'>): number {
  return Number.isFinite(largeTilesFrom) ? 128 : 64;
}

/** How a variant's kernel is run for a product. The buffers are the same for each variant. */
export function productRun(
  variant: ProductVariant,
  product: ProductShape,
  tuning: Pick<Tuning, 'largeTilesFrom'>,
) {
  const {
    rows,
    columns,
    inner,
    format,
    isTransposed,
    hasBias,
    accumulate,
    folded = false,
    ...uniforms
  } = product;
  const { kernel, threadRows, threadColumns, activates } = PRODUCT_VARIANTS[variant];
  const { threadsX, threadsY } = workgroupOf(variant, product, tuning);
  const { firstInput, inputStride, firstWeight } = product;
  const mustAlign = [inner, firstInput, inputStride, ...(isTransposed ? [firstWeight] : [])];
  return {
    kernel,
    uniforms: {
      ...uniforms,
      rows,
      columns,
      inner,
      columnStep: isTransposed ? inner : 1,
      innerStep: isTransposed ? 1 : columns,
      hasBias: Number(hasBias),
      accumulate: Number(accumulate),
    },
    constants: {
      threadsX,
      threadsY,
      weightFormat: format,
      transposed: Number(isTransposed),
      staged: Number(variant === 'staged'),
      aligned: Number(mustAlign.every((elements) => elements % 4 === 0)),
      folded: Number(folded),
      activates: Number(activates),
    },
    workgroups: [Math.ceil(columns / (threadColumns * threadsX)), Math.ceil(rows / (threadRows * threadsY))],
  } as const;
}

/** How the activation of a product is run after it, in place; undefined if there is none or the product has it. */
export function activationRun(variant: ProductVariant, product: ProductShape) {
  const { rows, columns, outputStride, firstOutput, firstColumn, activation } = product;
  if (activation === 0 || PRODUCT_VARIANTS[variant].activates) return undefined;
  return {
    kernel: activate,
    uniforms: { rows, columns, stride: outputStride, first: firstOutput + firstColumn },
    constants: { activation },
    workgroups: [Math.ceil(columns / ACTIVATION_THREADS), rows],
  } as const;
}

/** The kernels that products of a long batch take, whichever way their weights of a format lie. */
export function productKernels(
  { product: variant, largeTilesFrom }: Pick<Tuning, 'product' | 'largeTilesFrom'>,
  format: number,
): PipelineRequest[] {
  const { kernel, activates } = PRODUCT_VARIANTS[variant];
  const constants = {
    ...workgroupFor(Infinity),
    weightFormat: format,
    staged: Number(variant === 'staged'),
    activates: Number(activates),
  };
  if (kernel === matrixProductLanes) return [{ kernel, constants }];
  const either = [0, 1].map((transposed) => ({ ...constants, transposed, aligned: 1, folded: 0 }));
  if (kernel === matrixProduct) return either.map((constants) => ({ kernel, constants }));
  const shapes = Number.isFinite(largeTilesFrom) ? [8, 16] : [8];
  return either.flatMap((constants) =>
    shapes.map((side) => ({ kernel, constants: { ...constants, threadsX: side, threadsY: side } })),
  );
}

/** The kernel of folded products of a format. */
export function foldedProductKernel(tuning: Pick<Tuning, 'largeTilesFrom'>, format: number): PipelineRequest {
  const side = foldedTileColumns(tuning) / 8;
  return {
    kernel: matrixProductTiles,
    constants: { threadsX: side, threadsY: side, weightFormat: format, transposed: 1, aligned: 1, folded: 1 },
  };
}

/** The kernel that computes an activation after products, where those do not. */
export function activationKernels(variant: ProductVariant, activation: Activation): PipelineRequest[] {
  if (PRODUCT_VARIANTS[variant].activates) return [];
  return [{ kernel: activate, constants: { activation: activationCode(activation) } }];
}

/** The kernel of each variant, what each of its threads makes, and whether it ends in the activation. */
const PRODUCT_VARIANTS = {
  direct: { kernel: matrixProduct, threadRows: 8, threadColumns: 4, activates: false },
  staged: { kernel: matrixProduct, threadRows: 8, threadColumns: 4, activates: true },
  tiles: { kernel: matrixProductTiles, threadRows: 8, threadColumns: 8, activates: true },
  lanes: { kernel: matrixProductLanes, threadRows: 16, threadColumns: 8, activates: false },
} as const satisfies Record<
  ProductVariant,
  { threadRows: number; threadColumns: number; activates: boolean; kernel: unknown }
>;
const ACTIVATION_THREADS = 64;

/** A workgroup's shape for a variant and a product. */
function workgroupOf(
  variant: ProductVariant,
  { rows, columns, folded }: ProductShape,
  tuning: Pick<Tuning, 'largeTilesFrom'>,
): { threadsX: number; threadsY: number } {
  if (variant === 'lanes') return { threadsX: 4, threadsY: 1 };
  if (variant !== 'tiles') return workgroupFor(rows);
  const tiles = Math.ceil(rows / 128) * Math.ceil(columns / 128);
  const isLarge = folded
    ? foldedTileColumns(tuning) === 128
    : Math.min(rows, columns) > 64 && tiles >= tuning.largeTilesFrom;
  return isLarge ? { threadsX: 16, threadsY: 16 } : { threadsX: 8, threadsY: 8 };
}

/** A workgroup's shape: not more rows than the batch has, so that short texts do not compute empty rows. */
function workgroupFor(rows: number): { threadsX: number; threadsY: number } {
  if (rows <= 16) return { threadsX: 32, threadsY: 2 };
  if (rows <= 32) return { threadsX: 32, threadsY: 4 };
  return { threadsX: 16, threadsY: 8 };
}
