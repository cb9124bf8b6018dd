import { measureCopy, measureMultiplyAdd, measureProduct } from '../../engine/ceilings.ts';
import type { ProductShape } from '../../engine/ceilings.ts';
import type { ModelDescription } from '../../engine/description.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { CommandContext } from '../commands/context.ts';
import type { Ceilings } from './result.ts';

/** A square product that is large enough to keep each kind of adapter busy. */
const SQUARE = { software: 256, hardware: 2048 } as const;
/** The part of the vocabulary that makes a product as large as the others. */
const HEAD_COLUMNS = 4096;

/**
 * Measures what the adapter can do at best, and the products of a model.
 * @param rows of the products: tokens of all sequences
 */
export async function measureCeilings(
  gpu: Gpu,
  description: ModelDescription,
  rows: number,
  { terminal, signal }: CommandContext,
): Promise<Ceilings> {
  const shapes = productShapes(description, rows, gpu.adapter.software);
  terminal.notice('measuring what the adapter can do at best');
  const onMeasured = terminal.stage('ceilings');
  const total = 3 + shapes.length;
  let done = 0;
  onMeasured(0, total);
  const measured = async <Result>(measuring: Promise<Result>): Promise<Result> => {
    const result = await measuring;
    signal.throwIfAborted();
    onMeasured(++done, total);
    return result;
  };
  const copies = await measured(measureCopy(gpu));
  const multiply_add = {
    fma: await measured(measureMultiplyAdd(gpu, true)),
    separate: await measured(measureMultiplyAdd(gpu, false)),
  };
  const products: (ProductShape & { flops: number })[] = [];
  for (const shape of shapes) products.push({ ...shape, flops: await measured(measureProduct(gpu, shape)) });
  return {
    flops: Math.max(multiply_add.fma, multiply_add.separate, ...products.map(({ flops }) => flops)),
    multiply_add,
    matrix_products: products,
    bytes_per_second: Math.max(copies.command, copies.kernel),
    copies,
  };
}

/** The products of one block, a part of the head's, and a square one; each shape once. */
function productShapes(description: ModelDescription, rows: number, isSoftware: boolean): ProductShape[] {
  const { block, head } = description.products();
  const square = SQUARE[isSoftware ? 'software' : 'hardware'];
  const shapes: ProductShape[] = block.map((product) => ({ rows, ...product }));
  if (head) shapes.push({ rows, ...head, columns: Math.min(head.columns, HEAD_COLUMNS) });
  shapes.push({ rows: square, inner: square, columns: square, dtype: 'F32', layout: '[in, out]' });
  const key = ({ inner, columns, dtype, layout }: ProductShape) => [inner, columns, dtype, layout].join();
  return [...new Map(shapes.map((shape) => [key(shape), shape])).values()];
}
