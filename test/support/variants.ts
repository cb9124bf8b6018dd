import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { tune } from '../../src/engine/gpu/tuning.ts';
import type { AttentionVariant, ProductVariant } from '../../src/engine/gpu/tuning.ts';
import { decisionsOf } from '../../src/engine/gpu/variants.ts';

/** Variants of the matrix product that a device can run; tests take each, whichever the device would choose. */
export function productVariants(gpu: Gpu): ProductVariant[] {
  return variantsOf(gpu, 'matrix product', 'product');
}

/** Variants of attention that a device can run. */
export function attentionVariants(gpu: Gpu): AttentionVariant[] {
  return variantsOf(gpu, 'attention', 'attention');
}

/** The options of a decision where a CPU computes, and those that only hardware is given: their kernels run here, too. */
function variantsOf<Key extends 'product' | 'attention'>(
  { tuning }: Gpu,
  name: string,
  key: Key,
): NonNullable<ReturnType<typeof tune>[Key]>[] {
  const asHardware = tune({ ...tuning.traits, software: false });
  const options = [tuning, asHardware].flatMap((each) =>
    decisionsOf(each).flatMap((decision) => (decision.name === name ? decision.options : [])),
  );
  return [...new Set(options.map(({ overrides }) => overrides[key]!))];
}
