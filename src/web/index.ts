/// <reference lib="esnext.disposable" preserve="true" />
/** `laminar-webgpu/web`: what the library needs of a browser alone. Everything else is in `laminar-webgpu`. */
export { loadModel, modelFiles } from './load-model.ts';
export type { LoadNamedModelOptions, NamedModel } from './load-model.ts';
export { forget, listKept } from './kept-blocks.ts';
export type { Kept, KeptKind } from './kept-blocks.ts';
