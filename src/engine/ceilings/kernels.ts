import copySource from '../../shaders/ceilings/ceiling-copy.wgsl?raw';
import multiplyAddSource from '../../shaders/ceilings/ceiling-multiply-add.wgsl?raw';
import { defineKernel } from '../gpu/kernel.ts';

/** Kernels that do one thing only, to see how fast an adapter can do it. */

export const multiplyAdd = defineKernel({
  name: 'ceiling-multiply-add',
  source: multiplyAddSource,
  bindings: { output: 'read_write' },
  uniforms: { steps: 'u32', factor: 'f32', term: 'f32' },
  constants: ['threads', 'fused'],
});

/** Operations of one thread of `multiplyAdd`: floats that it works on, times repetitions in a step, times two operations. */
export const OPERATIONS_PER_STEP = 12 * 16 * 2;

export const copyGroups = defineKernel({
  name: 'ceiling-copy',
  source: copySource,
  bindings: { source: 'read', destination: 'read_write' },
  uniforms: { elements: 'u32', stride: 'u32' },
});
