/**
 * Named activations of a forward pass: which there are, how they are captured, and how they are changed. The names and
 * shapes are TransformerLens' (https://github.com/TransformerLensOrg/TransformerLens), the values those of the model as
 * shipped.
 */
export type { CapturedActivation } from './hooks/captures.ts';
export { layerOf, matchNames, withAnyLayer } from './hooks/names.ts';
export { PlannedHooks } from './hooks/planned-hooks.ts';
export type {
  CaptureRequest,
  Choice,
  Edit,
  EditedMatrix,
  EditedPart,
  HookRequests,
} from './hooks/request.ts';
export type { Batch } from './hooks/selection.ts';
export { hookShape } from './hooks/spec.ts';
export type { HookSpec } from './hooks/spec.ts';
