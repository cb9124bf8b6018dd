/// <reference lib="esnext.disposable" preserve="true" />
/** `laminar-webgpu/node`: what the library needs from Node alone. */
export { findAdapter, NoAdapterError, openNodeGpu } from './gpu.ts';
export type { AdapterAttempt, FoundAdapter, NodeGpuOptions } from './gpu.ts';
export { loadModel, spectra } from './load-model.ts';
export type { LoadNamedModelOptions } from './load-model.ts';
export { keepComponents } from '../analysis/reduction/reduce-matrix.ts';
export { reduceStates } from '../analysis/reduction/reduce-loaded-model.ts';
export { folderFiles, openFile } from './files.ts';
export { resolveModelFolder } from './hub.ts';
export type { ModelFolder, ResolveModelOptions } from './hub.ts';
export { renderPng, renderSvg } from './render.ts';
export { SafetensorsWriter } from './safetensors-writer.ts';
export { readRun } from './saved-run.ts';
