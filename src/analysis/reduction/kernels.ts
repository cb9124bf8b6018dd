import { defineKernel } from '../../engine/gpu/kernel.ts';
import componentImagesSource from '../../shaders/reduction/component-images.wgsl?raw';
import rebuildStateSource from '../../shaders/reduction/rebuild-state.wgsl?raw';
import stateChangeSource from '../../shaders/reduction/state-change.wgsl?raw';
import stateMeansSource from '../../shaders/reduction/state-means.wgsl?raw';

/** The kernels that cut states to their first components; each shader's header says what it computes. */

export const stateMeans = defineKernel({
  name: 'state-means',
  source: stateMeansSource,
  bindings: { matrix: 'read', means: 'read_write' },
  uniforms: { rows: 'u32', columns: 'u32' },
});

export const componentImages = defineKernel({
  name: 'component-images',
  source: componentImagesSource,
  bindings: { matrix: 'read', means: 'read', basis: 'read', images: 'read_write' },
  uniforms: { vectors: 'u32', length: 'u32', transposed: 'u32' },
});

export const rebuildState = defineKernel({
  name: 'rebuild-state',
  source: rebuildStateSource,
  bindings: { means: 'read', basis: 'read', images: 'read', reduced: 'read_write' },
  uniforms: { vectors: 'u32', length: 'u32', transposed: 'u32', components: 'u32' },
});

export const stateChange = defineKernel({
  name: 'state-change',
  source: stateChangeSource,
  bindings: { changed: 'read', original: 'read', squares: 'read_write' },
  uniforms: { width: 'u32', firstChanged: 'u32', firstOriginal: 'u32', firstSquare: 'u32' },
});
