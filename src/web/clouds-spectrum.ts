import { layerDimensions } from '../analysis/dimensions.ts';
import { computeSpectra } from '../analysis/spectrum.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import type { CloudSpectrum } from './messages.ts';

/**
 * Spectra of clouds of points in the plane, by the kernels that measure hidden states.
 * @param clouds [points, 2] each, all of equally many points
 * @param threshold percent of the variance that the effective dimension exceeds
 */
export async function measureClouds(
  gpu: Gpu,
  clouds: readonly Float32Array[],
  threshold: number,
): Promise<CloudSpectrum[]> {
  const rows = clouds[0]!.length / 2;
  const tensors = clouds.map((points, index) => gpu.upload(`cloud ${index}`, [rows, 2], points));
  try {
    const views = tensors.map(({ label, buffer }) => ({ name: label, buffer, offset: 0, rows, columns: 2 }));
    const spectra = await computeSpectra(gpu, views);
    return spectra.map(({ singularValues, cumulativePercent }) => {
      const measured = layerDimensions(singularValues, rows, 2, threshold, cumulativePercent);
      return {
        singularValues: [...singularValues],
        cumulativePercent: [...cumulativePercent],
        rank: measured.rank,
        effectiveDimension: measured.effective_dimension,
      };
    });
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}
