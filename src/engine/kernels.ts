import activateSource from '../shaders/forward/activate.wgsl?raw';
import attentionSource from '../shaders/forward/attention.wgsl?raw';
import attentionLanesSource from '../shaders/forward/attention-lanes.wgsl?raw';
import attentionWideSource from '../shaders/forward/attention-wide.wgsl?raw';
import compareLogitsSource from '../shaders/forward/compare-logits.wgsl?raw';
import embedSource from '../shaders/forward/embed.wgsl?raw';
import findNonfiniteSource from '../shaders/forward/find-nonfinite.wgsl?raw';
import foldLogSoftmaxSource from '../shaders/forward/fold-log-softmax.wgsl?raw';
import headNormSource from '../shaders/forward/head-norm.wgsl?raw';
import layerNormSource from '../shaders/forward/layer-norm.wgsl?raw';
import matrixProductSource from '../shaders/forward/matrix-product.wgsl?raw';
import matrixProductEightSource from '../shaders/forward/matrix-product-eight.wgsl?raw';
import matrixProductLanesSource from '../shaders/forward/matrix-product-lanes.wgsl?raw';
import matrixProductMatricesSource from '../shaders/forward/matrix-product-matrices.wgsl?raw';
import multiplySource from '../shaders/forward/multiply.wgsl?raw';
import pickLogitsSource from '../shaders/forward/pick-logits.wgsl?raw';
import rmsNormSource from '../shaders/forward/rms-norm.wgsl?raw';
import matrixProductTilesSource from '../shaders/forward/matrix-product-tiles.wgsl?raw';
import foldLogSoftmaxTilesSource from '../shaders/forward/fold-log-softmax-tiles.wgsl?raw';
import rotarySource from '../shaders/forward/rotary.wgsl?raw';
import activationSnippet from '../shaders/snippets/activation.wgsl?raw';
import deviationsSnippet from '../shaders/snippets/deviations.wgsl?raw';
import keptSumSnippet from '../shaders/snippets/kept-sum.wgsl?raw';
import laneOperandsSnippet from '../shaders/snippets/lane-operands.wgsl?raw';
import packedWeightsSnippet from '../shaders/snippets/packed-weights.wgsl?raw';
import runningSumSnippet from '../shaders/snippets/running-sum.wgsl?raw';
import subgroupMatricesSnippet from '../shaders/snippets/subgroup-matrices.wgsl?raw';
import sumOfSquaresSnippet from '../shaders/snippets/sum-of-squares.wgsl?raw';
import topTokensSource from '../shaders/forward/top-tokens.wgsl?raw';
import { defineKernel } from './gpu/kernel.ts';
import { matricesHead } from './gpu/subgroup-matrices.ts';
import type { Dtype } from './gpu/tensor.ts';

/** The kernels of the forward pass: what each binds. What each computes stands at the head of its .wgsl file. */

/** What every variant of the matrix product binds and is told. */
const productFace = {
  bindings: { input: 'read', weight: 'read', bias: 'read', output: 'read_write' },
  uniforms: {
    rows: 'u32',
    columns: 'u32',
    inner: 'u32',
    inputStride: 'u32',
    firstInput: 'u32',
    outputStride: 'u32',
    firstOutput: 'u32',
    firstColumn: 'u32',
    firstWeight: 'u32',
    columnStep: 'u32',
    innerStep: 'u32',
    hasBias: 'u32',
    accumulate: 'u32',
    activation: 'u32',
  },
  includes: [packedWeightsSnippet, activationSnippet],
} as const;

export const matrixProduct = defineKernel({
  ...productFace,
  name: 'matrix-product',
  source: matrixProductSource,
  constants: ['threadsX', 'threadsY', 'weightFormat', 'transposed', 'staged', 'activates'],
});

export const matrixProductLanes = defineKernel({
  ...productFace,
  name: 'matrix-product-lanes',
  source: matrixProductLanesSource,
  includes: [packedWeightsSnippet, laneOperandsSnippet],
  constants: ['weightFormat'],
});

export const matrixProductEight = defineKernel({
  ...productFace,
  name: 'matrix-product-eight',
  source: matrixProductEightSource,
  includes: [packedWeightsSnippet, laneOperandsSnippet],
  constants: ['weightFormat'],
});

export const matrixProductTiles = defineKernel({
  ...productFace,
  name: 'matrix-product-tiles',
  source: matrixProductTilesSource,
  constants: ['threadsX', 'threadsY', 'weightFormat', 'transposed', 'aligned', 'folded'],
});

/** For one shape of matrices; `matricesKernel` of product-variants.ts makes it for another one. */
export const matrixProductMatrices = defineKernel({
  ...productFace,
  name: 'matrix-product-matrices',
  head: matricesHead({ component: 'f16', rows: 8, columns: 8, terms: 8, threads: 128 }),
  source: matrixProductMatricesSource,
  includes: [packedWeightsSnippet, activationSnippet, subgroupMatricesSnippet],
  constants: ['weightFormat', 'transposed'],
});

export const activate = defineKernel({
  name: 'activate',
  source: activateSource,
  includes: [activationSnippet],
  bindings: { values: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32', stride: 'u32', first: 'u32' },
  constants: ['activation'],
});

export const layerNorm = defineKernel({
  name: 'layer-norm',
  source: layerNormSource,
  includes: [keptSumSnippet, deviationsSnippet],
  bindings: { input: 'read', weight: 'read', bias: 'read', output: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  constants: ['threads'],
});

export const rmsNorm = defineKernel({
  name: 'rms-norm',
  source: rmsNormSource,
  includes: [keptSumSnippet, sumOfSquaresSnippet],
  bindings: { input: 'read', weight: 'read', output: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32', epsilon: 'f32' },
  constants: ['threads'],
});

export const headNorm = defineKernel({
  name: 'head-norm',
  source: headNormSource,
  includes: [keptSumSnippet, sumOfSquaresSnippet],
  bindings: { weight: 'read', values: 'read_write' },
  uniforms: { stride: 'u32', headWidth: 'u32', headStride: 'u32', offset: 'u32', epsilon: 'f32' },
  constants: ['threads'],
});

export const multiply = defineKernel({
  name: 'multiply',
  source: multiplySource,
  bindings: { factors: 'read', values: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32' },
});

export const embed = defineKernel({
  name: 'embed',
  source: embedSource,
  includes: [packedWeightsSnippet],
  bindings: { indices: 'read', table: 'read', output: 'read_write' },
  uniforms: { rows: 'u32', width: 'u32', firstIndex: 'u32', firstRow: 'u32', tableRows: 'u32' },
  constants: ['weightFormat', 'accumulate'],
});

export const rotary = defineKernel({
  name: 'rotary',
  source: rotarySource,
  bindings: { cosines: 'read', sines: 'read', queryKeyValue: 'read_write' },
  uniforms: {
    stride: 'u32',
    heads: 'u32',
    headStride: 'u32',
    keyOffset: 'u32',
    half: 'u32',
    firstElement: 'u32',
    keyHeads: 'u32',
    firstPosition: 'u32',
  },
});

/** What every variant of attention binds and is told. */
const attentionFace = {
  bindings: { queryKeyValue: 'read', output: 'read_write' },
  uniforms: {
    tokens: 'u32',
    heads: 'u32',
    stride: 'u32',
    headStride: 'u32',
    keyOffset: 'u32',
    valueOffset: 'u32',
    scale: 'f32',
    firstInput: 'u32',
    firstOutput: 'u32',
    groupSize: 'u32',
  },
} as const;

export const attention = defineKernel({
  ...attentionFace,
  name: 'attention',
  source: attentionSource,
  constants: ['headWidth'],
});

export const attentionLanes = defineKernel({
  ...attentionFace,
  name: 'attention-lanes',
  source: attentionLanesSource,
  constants: ['headWidth', 'lanes'],
});

export const attentionWide = defineKernel({
  ...attentionFace,
  name: 'attention-wide',
  source: attentionWideSource,
  constants: ['headWidth', 'depth'],
});

/** Heads wider than this do not fit the attention kernel's registers. */
export const MAX_HEAD_WIDTH = 512;
/** The same for the variant `wide`. */
export const MAX_WIDE_HEAD_WIDTH = 256;

export const foldLogSoftmax = defineKernel({
  name: 'fold-log-softmax',
  source: foldLogSoftmaxSource,
  includes: [runningSumSnippet],
  bindings: { logits: 'read', maximum: 'read_write', sum: 'read_write', argmax: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32', firstToken: 'u32' },
  constants: ['threads'],
});

export const topTokens = defineKernel({
  name: 'top-tokens',
  source: topTokensSource,
  bindings: { logits: 'read', values: 'read_write', tokens: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32', firstToken: 'u32', top: 'u32' },
  constants: ['threads'],
});

/** The longest list that top-tokens keeps. */
export const MAX_TOP_TOKENS = 256;

export const pickLogits = defineKernel({
  name: 'pick-logits',
  source: pickLogitsSource,
  bindings: { logits: 'read', targets: 'read', picked: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32', firstToken: 'u32' },
});

export const compareLogits = defineKernel({
  name: 'compare-logits',
  source: compareLogitsSource,
  bindings: { logits: 'read', sums: 'read_write' },
  uniforms: { originals: 'u32', columns: 'u32', firstToken: 'u32', firstRow: 'u32' },
});

export const foldLogSoftmaxTiles = defineKernel({
  name: 'fold-log-softmax-tiles',
  source: foldLogSoftmaxTilesSource,
  includes: [runningSumSnippet],
  bindings: { parts: 'read', maximum: 'read_write', sum: 'read_write', argmax: 'read_write' },
  uniforms: { rows: 'u32', tiles: 'u32', firstToken: 'u32', tileColumns: 'u32' },
});

export const findNonfinite = defineKernel({
  name: 'find-nonfinite',
  source: findNonfiniteSource,
  bindings: { values: 'read', found: 'read_write' },
  uniforms: { elements: 'u32', slot: 'u32', workgroups: 'u32' },
  constants: ['weightFormat'],
});

/** The value of a kernel's `weightFormat` for a dtype. */
export function weightFormat(dtype: Dtype): number {
  return { F32: 0, I32: 0, F16: 1, BF16: 2 }[dtype];
}
