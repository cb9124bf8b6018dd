import type { MatrixView } from '../../analysis/spectrum/matrix-view.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { Pcg32 } from '../../analysis/shuffle.ts';

/**
 * Runs `use` with matrices of random numbers in [−1, 1) on the GPU, whose columns shrink as those of hidden states do: by
 * a factor of 1000 in all.
 */
export async function withRandomMatrices<Result>(
  gpu: Gpu,
  { matrices, rows, columns }: { matrices: number; rows: number; columns: number },
  use: (views: readonly MatrixView[]) => Promise<Result>,
): Promise<Result> {
  const random = new Pcg32(28);
  const tensors = Array.from({ length: matrices }, (_, index) => {
    const values = Float32Array.from(
      { length: rows * columns },
      (_, place) => (random.next() / 2 ** 31 - 1) * 1000 ** (-(place % columns) / columns),
    );
    return gpu.upload(`random matrix ${index}`, [rows, columns], values);
  });
  try {
    return await use(tensors.map(({ label, buffer }) => ({ name: label, buffer, offset: 0, rows, columns })));
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}
