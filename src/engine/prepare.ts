import { attentionOf } from './attention.ts';
import type { ModelDescription } from './description.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { PipelineRequest } from './gpu/kernel.ts';
import {
  embed,
  findNonfinite,
  foldLogSoftmax,
  foldLogSoftmaxTiles,
  headNorm,
  layerNorm,
  multiply,
  rmsNorm,
  rotary,
  weightFormat,
} from './kernels.ts';
import { activationKernels, foldedProductKernel, productKernels } from './product-variants.ts';

/**
 * The kernels that a model's forward pass takes, to be compiled while its weights load. A kernel that is left out is
 * compiled when it is first used, as the search for NaN is. A kernel too many costs its compilation.
 */
export function forwardKernels({ tuning }: Gpu, description: ModelDescription): PipelineRequest[] {
  const { config, weights, matrixDtypes, kernels } = description;
  const formats = [...new Set([...matrixDtypes].map(weightFormat))];
  const embeds = (accumulate: number) =>
    formats.map((weightFormat) => ({ kernel: embed, constants: { weightFormat, accumulate } }));
  const threads = tuning.normThreads;
  const steps = [
    { kernel: layerNorm, constants: { threads } },
    { kernel: rmsNorm, constants: { threads } },
    { kernel: headNorm, constants: { threads } },
    { kernel: rotary },
    { kernel: multiply },
  ].filter(({ kernel }) => kernels.has(kernel.name));
  const fold = { threads: tuning.foldThreads };
  const products = description.products();
  const layouts = [...products.block, ...(products.head ? [products.head] : [])].map(({ layout }) => layout);
  const headFormat = weights.head && weightFormat(weights.head.dtype);
  const head =
    tuning.head === 'folded' && headFormat !== undefined
      ? [foldedProductKernel(tuning, headFormat), { kernel: foldLogSoftmaxTiles }]
      : [{ kernel: foldLogSoftmax, constants: fold }];
  return [
    // The most expensive first.
    attentionOf(tuning, config.headWidth),
    ...formats.flatMap((format) => productKernels(tuning, format, [...new Set(layouts)])),
    ...activationKernels(tuning.product, config.activation),
    ...head,
    { kernel: findNonfinite, constants: { weightFormat: weightFormat('F32') } },
    ...embeds(0),
    ...(weights.embeddings.length > 1 ? embeds(1) : []),
    ...steps,
  ];
}
