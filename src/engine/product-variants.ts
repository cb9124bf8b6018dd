import { activationCode } from './activations.ts';
import type { Activation } from './activations.ts';
import type { MatrixProduct } from './description.ts';
import type { PipelineRequest } from './gpu/kernel.ts';
import { matricesHead } from './gpu/subgroup-matrices.ts';
import type { SubgroupMatrices } from './gpu/subgroup-matrices.ts';
import type { ProductVariant, Tuning } from './gpu/tuning.ts';
import {
  activate,
  matrixProduct,
  matrixProductEight,
  matrixProductLanes,
  matrixProductMatrices,
  matrixProductTiles,
} from './kernels.ts';

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

/** What of a tuning shapes the workgroups of a product. */
type ProductTuning = Pick<Tuning, 'largeTilesFrom'> & { readonly matrices?: SubgroupMatrices | undefined };

/** The kernel over subgroup matrices of a shape. */
export function matricesKernel(matrices: SubgroupMatrices): typeof matrixProductMatrices {
  return { ...matrixProductMatrices, head: matricesHead(matrices) };
}

/** How a variant's kernel is run for a product. The buffers are the same for each variant. */
export function productRun(variant: ProductVariant, product: ProductShape, tuning: ProductTuning) {
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
  const { threadRows, threadColumns, activates } = PRODUCT_VARIANTS[variant];
  const { threadsX, threadsY } = workgroupOf(variant, product, tuning);
  const { firstInput, inputStride, firstWeight } = product;
  const mustAlign = [inner, firstInput, inputStride, ...(isTransposed ? [firstWeight] : [])];
  return {
    kernel: kernelOf(variant, tuning),
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

/** The kernels that products of a long batch take with weights of a format that lie in these ways. */
export function productKernels(
  tuning: ProductTuning & Pick<Tuning, 'product'>,
  format: number,
  layouts: readonly MatrixProduct['layout'][],
): PipelineRequest[] {
  const { product: variant, largeTilesFrom } = tuning;
  const { activates, lanes } = PRODUCT_VARIANTS[variant];
  const kernel = kernelOf(variant, tuning);
  const constants = {
    ...workgroupFor(Infinity),
    weightFormat: format,
    staged: Number(variant === 'staged'),
    activates: Number(activates),
  };
  if (lanes) return [{ kernel, constants }];
  const each = layouts.map((layout) => ({
    ...constants,
    transposed: Number(layout === '[out, in]'),
    aligned: 1,
    folded: 0,
  }));
  if (variant !== 'tiles') return each.map((constants) => ({ kernel, constants }));
  const shapes = Number.isFinite(largeTilesFrom) ? [8, 16] : [8];
  return each.flatMap((constants) =>
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

/**
 * The kernel of each variant, what each of its threads makes, whether it ends in the activation, and the threads of its
 * workgroup where they are the lanes that share loads; 0 where the product decides them.
 */
const PRODUCT_VARIANTS = {
  direct: { kernel: matrixProduct, threadRows: 8, threadColumns: 4, activates: false, lanes: 0 },
  staged: { kernel: matrixProduct, threadRows: 8, threadColumns: 4, activates: true, lanes: 0 },
  tiles: { kernel: matrixProductTiles, threadRows: 8, threadColumns: 8, activates: true, lanes: 0 },
  lanes: { kernel: matrixProductLanes, threadRows: 16, threadColumns: 8, activates: false, lanes: 4 },
  eight: { kernel: matrixProductEight, threadRows: 16, threadColumns: 4, activates: false, lanes: 8 },
  // Its workgroup makes 4 × 4 matrices.
  matrices: { kernel: matrixProductMatrices, threadRows: 4, threadColumns: 4, activates: true, lanes: 0 },
} as const satisfies Record<
  ProductVariant,
  { threadRows: number; threadColumns: number; activates: boolean; lanes: number; kernel: unknown }
>;
const ACTIVATION_THREADS = 64;

function kernelOf(variant: ProductVariant, { matrices }: ProductTuning) {
  if (variant !== 'matrices') return PRODUCT_VARIANTS[variant].kernel;
  if (!matrices) throw new TypeError('the product over subgroup matrices needs their shape');
  return matricesKernel(matrices);
}

/** A workgroup's shape for a variant and a product. */
function workgroupOf(
  variant: ProductVariant,
  { rows, columns, folded }: ProductShape,
  tuning: ProductTuning,
): { threadsX: number; threadsY: number } {
  const { lanes } = PRODUCT_VARIANTS[variant];
  if (variant === 'matrices' && tuning.matrices)
    return { threadsX: tuning.matrices.columns, threadsY: tuning.matrices.rows };
  if (lanes) return { threadsX: lanes, threadsY: 1 };
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
