import type { Gpu } from '../../engine/gpu/gpu.ts';
import { spectraInBatches } from '../spectrum-batches.ts';
import type { BatchedMatrix, BatchOptions } from '../spectrum-batches.ts';
import type { View } from '../views.ts';
import type { Directions } from './rows.ts';
import { ViewState } from './view-state.ts';

/** Entropies of a sequence's Gram matrix, in nats. */
export interface Entropies {
  /** −Σ e ln e. */
  von_neumann: number;
  /** −ln Σ e². */
  renyi_2: number;
}

/** Those of a view's rows as they are, and with the columns' means subtracted; null where no row has a direction. */
export interface PromptEntropy {
  uncentred: Entropies | null;
  centred: Entropies | null;
  /** ln min(rows, columns): what neither can exceed. */
  maximum: number;
}

/**
 * The entropies of the eigenvalues e of ZZᵀ / n, Z being n rows of norm 1: the squares of Z's singular values over n,
 * from the GPU (Skean et al., arXiv 2502.02013). Those of all views are computed together.
 *
 * @returns one for each view
 */
export async function promptEntropies(
  gpu: Gpu,
  views: readonly { readonly name: string; readonly view: View }[],
  options: BatchOptions = {},
): Promise<PromptEntropy[]> {
  const matrices = views.flatMap(({ name, view }): BatchedMatrix[] => {
    const { rows, columns } = view;
    const matrixOf = (directions: (state: ViewState) => Directions): BatchedMatrix => ({
      name,
      rows,
      columns,
      isCentred: true,
      read: () => {
        const { values } = directions(new ViewState(gpu, view, { name, thresholds: [] }));
        // Halved, because a matrix that is not centred must lie within ±1.
        return Promise.resolve(Float32Array.from(values, (value) => value / 2));
      },
    });
    return [matrixOf((state) => state.directions), matrixOf((state) => state.centredDirections)];
  });
  const spectra = await spectraInBatches(gpu, matrices, { ...options, isCoarse: true });
  return views.map(({ view: { rows, columns } }, index) => ({
    uncentred: entropiesOf(spectra[2 * index]!.singularValues),
    centred: entropiesOf(spectra[2 * index + 1]!.singularValues),
    maximum: Math.log(Math.min(rows, columns)),
  }));
}

function entropiesOf(singularValues: Float32Array): Entropies | null {
  let total = 0;
  for (const value of singularValues) total += value * value;
  if (total === 0) return null;
  let [vonNeumann, purity] = [0, 0];
  for (const value of singularValues) {
    const share = (value * value) / total;
    if (share > 0) vonNeumann -= share * Math.log(share);
    purity += share * share;
  }
  // Shares that add up to a little more than 1 would give a negative entropy.
  return { von_neumann: Math.max(0, vonNeumann), renyi_2: Math.max(0, -Math.log(purity)) };
}
