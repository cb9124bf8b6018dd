import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { AttentionVariant, ProductVariant } from '../../src/engine/gpu/tuning.ts';

/** Variants of the matrix product that a device can run; tests take each, whichever the device would choose. */
export function productVariants(gpu: Gpu): ProductVariant[] {
  return ['direct', 'staged', 'tiles', ...lanes(gpu)];
}

/** Variants of attention that a device can run. */
export function attentionVariants(gpu: Gpu): AttentionVariant[] {
  return ['staged', 'wide', ...lanes(gpu)];
}

function lanes({ tuning }: Gpu): 'lanes'[] {
  return tuning.lanes === 4 ? ['lanes'] : [];
}
