import type { Gpu } from '../../engine/gpu/gpu.ts';
import { computeSpectra } from '../spectrum.ts';
import type { MatrixView } from '../spectrum/matrix-view.ts';
import type { Directions } from './rows.ts';

/** Entropies of a sequence's Gram matrix, in nats. */
export interface Entropies {
  /** −Σ e ln e. */
  von_neumann: number;
  /** −ln Σ e². */
  renyi_2: number;
}

/**
 * The entropies of the eigenvalues e of ZZᵀ / n, Z being n rows of norm 1: the squares of Z's singular values over n,
 * from the GPU (Skean et al., arXiv 2502.02013).
 *
 * @param name of the matrix, for messages
 * @returns one for each, null for one without rows
 */
export async function promptEntropies(
  gpu: Gpu,
  all: readonly Directions[],
  columns: number,
  name: string,
  options: { readonly signal?: AbortSignal; readonly scratchBytes?: number } = {},
): Promise<(Entropies | null)[]> {
  const entropies: (Entropies | null)[] = [];
  for (const { rows, values } of all) {
    if (rows === 0) {
      entropies.push(null);
      continue;
    }
    const buffer = gpu.allocate(`directions of ${name}`, 4 * values.length);
    try {
      // Halved, because a matrix that is not centred must lie within ±1.
      gpu.write(
        buffer,
        0,
        Float32Array.from(values, (value) => value / 2),
      );
      const view: MatrixView = { name, buffer, offset: 0, rows, columns, isCentred: true };
      const [spectrum] = await computeSpectra(gpu, [view], options);
      entropies.push(entropiesOf(spectrum!.singularValues));
    } finally {
      gpu.free(buffer);
    }
  }
  return entropies;
}

function entropiesOf(singularValues: Float32Array): Entropies {
  let total = 0;
  for (const value of singularValues) total += value * value;
  let [vonNeumann, purity] = [0, 0];
  for (const value of singularValues) {
    const share = (value * value) / total;
    if (share > 0) vonNeumann -= share * Math.log(share);
    purity += share * share;
  }
  // Shares that add up to a little more than 1 would give a negative entropy.
  return { von_neumann: Math.max(0, vonNeumann), renyi_2: Math.max(0, -Math.log(purity)) };
}
