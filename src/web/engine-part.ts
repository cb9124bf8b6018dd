/** What loading a model takes of the engine, in one piece, so that one request fetches it. */
export { describeModel } from '../engine/description.ts';
export { openBrowserGpu } from '../engine/gpu/open.ts';
export { LoadedModel } from '../engine/loaded-model.ts';
export { defaultMemoryLimit } from '../engine/memory.ts';
