/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Laminar's library: the same in Node and in a browser. A checkpoint and token ids go in; hidden states, spectra and
 * the laminar profile come out, computed on a GPUDevice. `laminar-webgpu/node` adds what only Node has: files, the hub's
 * cache, the software GPU.
 */
export * from './engine/errors.ts';
export type { Remedy, Words } from './engine/error-words.ts';
export { Gpu } from './engine/gpu/gpu.ts';
export type { AdapterReport, GpuOptions } from './engine/gpu/gpu.ts';
export { describeAdapter, openAdapter, openBrowserGpu, useDevice } from './engine/gpu/open.ts';
export type { BrowserGpuOptions } from './engine/gpu/open.ts';
export type { SelfTest, Verdict, VerdictStore } from './engine/gpu/verdicts.ts';
export type { Dtype, Tensor, TensorPart } from './engine/gpu/tensor.ts';
export { bytesSource } from './engine/files.ts';
export type { ByteSource, ModelFiles } from './engine/files.ts';
export { Checkpoint } from './engine/checkpoint.ts';
export type { OpenOptions, TensorEntry } from './engine/checkpoint.ts';
export { describeModel, ModelDescription } from './engine/description.ts';
export type { Activation } from './engine/activations.ts';
export type { ModelConfig } from './engine/config.ts';
export { loadTokenizer } from './engine/tokenizer.ts';
export type { EncodeOptions, Tokenizer } from './engine/tokenizer.ts';
export { layerOf, matchNames, PlannedHooks, withAnyLayer } from './engine/hooks.ts';
export type {
  CapturedActivation,
  CaptureRequest,
  Choice,
  Edit,
  EditedMatrix,
  EditedPart,
  HookRequests,
  HookSpec,
} from './engine/hooks.ts';
export type { LensOptions, LensResult } from './engine/lens.ts';
export { Model } from './engine/model.ts';
export type { HiddenState, LoadOptions, RunOptions, RunResult } from './engine/model.ts';
export { LoadedModel } from './engine/loaded-model.ts';
export type { LoadModelOptions, LoadProgress } from './engine/loaded-model.ts';
export type {
  SequenceActivation,
  SequenceRun,
  SequenceRunOptions,
  TextOrIds,
} from './engine/sequence-run.ts';
export { checkSequences } from './engine/sequences.ts';
export type { LogitsTile } from './engine/log-softmax.ts';
export { spectra } from './analysis/activation-spectra.ts';
export type { ActivationSpectrum, ShapedValues, SpectraOptions } from './analysis/activation-spectra.ts';
export { computeSpectra } from './analysis/spectrum.ts';
export type { Spectrum, SpectrumOptions } from './analysis/spectrum.ts';
export type { MatrixView } from './analysis/spectrum/matrix-view.ts';
export { measureMatrices } from './analysis/measure-matrices.ts';
export type { MeasuredMatrix, MeasureOptions, UnreadMatrix } from './analysis/measure-matrices.ts';
export { layerDimensions } from './analysis/dimensions.ts';
export type { LayerDimensions } from './analysis/dimensions.ts';
export { freedmanDiaconis } from './analysis/histogram.ts';
export type { Histogram } from './analysis/histogram.ts';
export { profileSequences } from './analysis/profile.ts';
export type { Profile, ProfileOptions, ProfileRequest } from './analysis/profile.ts';
export type { Sampling } from './analysis/profile-sequences.ts';
export { profileReport } from './analysis/profile-report.ts';
export type { ProfileReportOptions, ProfileSubject } from './analysis/profile-report.ts';
export { shuffleTokens } from './analysis/shuffle.ts';
export { chooseWindow } from './analysis/window.ts';
export type { TokenWindow, WindowOptions } from './analysis/window.ts';
export { profileCsv } from './analysis/profile-csv.ts';
export { buildReport } from './analysis/build-report.ts';
export { laminarVersion } from './analysis/report.ts';
export type { Report, SequenceReport } from './analysis/report.ts';
export { compareRuns } from './analysis/compare/compare.ts';
export type { CompareOptions, Comparison } from './analysis/compare/compare.ts';
export type { SavedRun, SavedSpectra } from './analysis/compare/run.ts';
export { readReport } from './analysis/compare/saved-report.ts';
export type { SavedReport } from './analysis/compare/saved-report.ts';
export { withThreshold } from './analysis/compare/with-threshold.ts';
export { figures } from './analysis/figures.ts';
export type { Figure, FigureOptions, ProfileSpectra } from './analysis/figures.ts';
export { measureViews } from './analysis/measures/measure-views.ts';
export type { MatrixViews, MeasuredView, ViewRequest } from './analysis/measures/measure-views.ts';
export { measureTable } from './analysis/measures/table.ts';
export type { MeasureName, Measures } from './analysis/measures/table.ts';
export {
  kernelAlignment,
  kernelAlignmentLong,
  principalAngles,
  principalAnglesLong,
} from './analysis/measures/pairs.ts';
export type { Alignment, ComparedMatrix, PairOptions, PrincipalAngles } from './analysis/measures/pairs.ts';
export { keepComponents } from './analysis/reduction/reduce-matrix.ts';
export type { Components } from './analysis/reduction/components.ts';
export type { Cut } from './analysis/reduction/reduce-matrix.ts';
export { reduceSequences } from './analysis/reduction/reduce-states.ts';
export type {
  LogitsEffect,
  ReductionOptions,
  ReductionRequest,
  Reductions,
  StateChange,
  StateReduction,
} from './analysis/reduction/reduce-states.ts';
export { reduceStates } from './analysis/reduction/reduce-loaded-model.ts';
export type { CutLayer } from './analysis/reduction/cut-layers.ts';
