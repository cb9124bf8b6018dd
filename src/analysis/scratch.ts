import type { Gpu } from '../engine/gpu/gpu.ts';

/** How much scratch spectra may take if there is no model: 512 MiB, or half of what --gpu-memory leaves. */
export function spectrumScratch(gpu: Gpu): number {
  return Math.min(2 ** 29, (gpu.memoryLimit - gpu.allocatedBytes) / 2);
}

/** The maximum number of bytes on the GPU at once of matrices that measures and views decompose. */
export const VIEWS_BATCH_BYTES = 32 * 2 ** 20;
