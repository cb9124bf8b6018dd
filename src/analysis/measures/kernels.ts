import { defineKernel } from '../../engine/gpu/kernel.ts';
import keepNearestSource from '../../shaders/neighbours/keep-nearest.wgsl?raw';
import squaredDistancesSource from '../../shaders/neighbours/squared-distances.wgsl?raw';

/** The kernels of the measures; each shader's header says what it computes. */

export const squaredDistances = defineKernel({
  name: 'squared-distances',
  source: squaredDistancesSource,
  bindings: { matrix: 'read', distances: 'read_write' },
  uniforms: { points: 'u32', columns: 'u32', first: 'u32', candidates: 'u32', scale: 'f32' },
});

export const keepNearest = defineKernel({
  name: 'keep-nearest',
  source: keepNearestSource,
  bindings: { distances: 'read', nearest: 'read_write' },
  uniforms: { points: 'u32', first: 'u32', candidates: 'u32', ranks: 'u32' },
});
