import type { BufferRange } from './gpu/kernel.ts';
import type { Recorder } from './gpu/recorder.ts';
import type { Dtype } from './gpu/tensor.ts';
import { findNonfinite, weightFormat } from './kernels.ts';

const THREADS = 128;
/** The minimum number of words for a thread: starting a workgroup costs more than reading them. */
const WORDS_PER_THREAD = 16;
/** Enough to fill any GPU. */
const MAX_WORKGROUPS = 1024;

/**
 * Records a search for NaN and infinities: sets found[slot], a u32, to 1 if there is any among the elements.
 * @param elements how many of `values`, packed as `dtype` says, to look at
 */
export function recordFindNonfinite(
  recorder: Recorder,
  values: GPUBuffer | BufferRange,
  elements: number,
  dtype: Dtype,
  found: { readonly buffer: GPUBuffer; readonly slot: number },
): void {
  const format = weightFormat(dtype);
  const words = format === 0 ? elements : Math.ceil(elements / 2);
  const workgroups = Math.min(Math.ceil(words / (THREADS * WORDS_PER_THREAD)), MAX_WORKGROUPS);
  recorder.dispatch(findNonfinite, {
    bindings: { values, found: found.buffer },
    uniforms: { elements, slot: found.slot, workgroups },
    constants: { weightFormat: format },
    workgroups: [workgroups],
  });
}
