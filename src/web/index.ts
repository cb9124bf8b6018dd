/// <reference lib="esnext.disposable" preserve="true" />
/**
 * `laminar-webgpu/web`: a browser's way to load a model, and what is needed first. Everything else is in
 * `laminar-webgpu`. This entry is small: the engine follows with the first model, the spectrum with the first matrix.
 */
export { spectra } from '../analysis/activation-spectra.ts';
export { loadModel, modelFiles } from './load-model.ts';
export type { LoadNamedModelOptions, NamedModel } from './load-model.ts';
export { forget, listKept } from './kept-blocks.ts';
export type { Kept, KeptKind } from './kept-blocks.ts';
