import type { Gpu } from '../engine/gpu/gpu.ts';
import type { Tensor } from '../engine/gpu/tensor.ts';
import type { HiddenState, Model } from '../engine/model.ts';
import { layerDimensions } from './dimensions.ts';
import { measureStates } from './measures/layer-measures.ts';
import type { ViewLayer } from './measures/layer-fields.ts';
import type { MeasuredState } from './measures/layer-measures.ts';
import type { HeldMatrix, ViewRequest } from './measures/measure-views.ts';
import { HookSpectra } from './hook-spectra.ts';
import { measuredHooks } from './measured-hooks.ts';
import { planProfile } from './plan.ts';
import type { SequenceMeasurements, SequenceName } from './report.ts';
import { sequenceNames } from './report.ts';
import { computeSpectra } from './spectrum.ts';
import type { Spectrum } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';
import type { ViewName } from './views.ts';

export interface ProfileOptions {
  /** Percent of the variance that the effective dimension must exceed. */
  readonly threshold: number;
  /** Views and measures of every state; default the usual diagnostics alone. */
  readonly request?: ViewRequest | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called as the forward pass goes on. */
  readonly onForward?: (done: number, total: number) => void;
  /** Called as spectra are done, in matrices: two for each of the L + 1 states. */
  readonly onSpectrum?: (done: number, total: number) => void;
  /** Told what a user should know of the result. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Names of activations to measure as the states are; `*` stands for any run of characters. */
  readonly at?: readonly string[] | undefined;
}

/** Singular values of named activations. */
export type HookValues = Readonly<Record<SequenceName, Readonly<Record<string, readonly Float32Array[]>>>>;

/** The laminar profile of two sequences. */
export interface Profile {
  readonly sequences: Readonly<Record<SequenceName, SequenceMeasurements>>;
  /** One for each state 0 to L, [min(T, d)] each. */
  readonly singularValues: Readonly<Record<SequenceName, readonly Float32Array[]>>;
  /** Of named activations, by their names with * for the layer's number: a row for each layer, [min(T, columns)] each. */
  readonly hookValues: HookValues | undefined;
  /** In milliseconds, both waited for on the GPU. */
  readonly timings: { readonly forward: number; readonly spectrum: number };
}

/**
 * Runs both sequences as one batch and reduces each state to its spectrum while the states pass by: at most a bounded
 * number of them is held, whatever the model's depth.
 * @param ids real and shuffled, [T] each
 * @throws InputError if the ids do not suit the model
 * @throws NumericalError naming the state, if one is not finite or its SVD does not converge
 * @throws DeviceError if the GPU fails
 */
export async function profileSequences(
  gpu: Gpu,
  model: Model,
  ids: Readonly<Record<SequenceName, Int32Array>>,
  options: ProfileOptions,
): Promise<Profile> {
  const { threshold, request, signal, onForward, onSpectrum, onNotice } = options;
  const tokens = ids.real.length;
  const { layers, width } = model.config;
  const { memoryLimit, adapter } = gpu;
  const { description, isResident } = model;
  const software = adapter.software;
  const hooks =
    options.at && measuredHooks(description, options.at, { sequences: sequenceNames.length, tokens });
  if (hooks && hooks.skipped.length > 0) {
    onNotice?.(`${hooks.skipped.join(', ')}: not measured, for they are not matrices of tokens by features`);
  }
  const plan = planProfile({ model: description, tokens, memoryLimit, software, isResident, hooks });
  const reducer = new StateReducer(gpu, tokens, width, {
    threshold,
    request,
    signal,
    mostStates: plan.statesAtOnce,
    scratchBytes: plan.scratch,
    onProgress: (done) => onSpectrum?.(done, sequenceNames.length * (layers + 1)),
    onNotice,
  });
  using hookSpectra =
    hooks &&
    new HookSpectra(gpu, tokens, {
      threshold,
      mostAtOnce: plan.hooksAtOnce,
      scratchBytes: plan.scratch,
      signal,
    });
  const started = performance.now();
  try {
    const result = await model.run(
      sequenceNames.map((name) => ids[name]),
      {
        ...(signal ? { signal } : {}),
        ...(onForward ? { onProgress: onForward } : {}),
        onNotice,
        onState: (state) => reducer.add(state),
        ...(hookSpectra && {
          capture: hooks.measured.map(({ name }) => name),
          onActivation: (activation) => hookSpectra.add(activation),
        }),
      },
    );
    await hookSpectra?.finish();
    await reducer.finish();
    const spectrum = reducer.milliseconds + (hookSpectra?.milliseconds ?? 0);
    const measure = (name: SequenceName, index: number): SequenceMeasurements => ({
      ids: ids[name],
      maxLogSoftmax: result.maxLogSoftmax?.[index] ?? null,
      layers: reducer.states[name].map(({ layer }) => layer),
      ...(request && { views: viewsOf(reducer.states[name], request) }),
      ...(hookSpectra && { hooks: hookSpectra.measurements[name] }),
    });
    const values = (name: SequenceName) => reducer.singularValues[name];
    return {
      sequences: { real: measure('real', 0), shuffled: measure('shuffled', 1) },
      singularValues: { real: values('real'), shuffled: values('shuffled') },
      hookValues: hookSpectra?.singularValues,
      timings: { forward: performance.now() - started - spectrum, spectrum },
    };
  } finally {
    reducer.dispose();
  }
}

/** The layers of every view but `all`, which are the sequence's own. */
function viewsOf(
  states: readonly MeasuredState[],
  { views }: ViewRequest,
): Partial<Record<ViewName, ViewLayer[]>> {
  const others = views.filter((name) => name !== 'all');
  return Object.fromEntries(others.map((name) => [name, states.map((state) => state.views[name]!)]));
}

/** States at hand on the host at once take at most this much. */
const HELD_BYTES = 32 * 2 ** 20;

/** Collects copies of states and turns a full collection into spectra, all its matrices at once, and measures them. */
class StateReducer {
  readonly singularValues: Record<SequenceName, Float32Array[]> = { real: [], shuffled: [] };
  readonly states: Record<SequenceName, MeasuredState[]> = { real: [], shuffled: [] };
  /** What spectra and measures have taken so far. */
  milliseconds = 0;
  readonly #waiting: MatrixView[] = [];
  #done = 0;
  #measured = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly rows: number,
    private readonly columns: number,
    private readonly options: {
      readonly threshold: number;
      readonly request: ViewRequest | undefined;
      readonly signal: AbortSignal | undefined;
      readonly mostStates: number;
      readonly scratchBytes: number;
      readonly onProgress: (done: number) => void;
      readonly onNotice: ((notice: string) => void) | undefined;
    },
  ) {}

  get #matrixBytes(): number {
    return 4 * this.rows * this.columns;
  }

  /** Keeps a copy of a state, whose tensor is only lent. */
  async add({ name, layer, tensor }: HiddenState): Promise<void> {
    if (name !== 'hidden_states') return;
    const recorder = this.gpu.recorder();
    sequenceNames.forEach((sequence, index) => {
      const label = `layer ${layer}, ${sequence}`;
      const buffer = this.gpu.allocate(`states of ${label}`, this.#matrixBytes);
      this.#waiting.push({ name: label, buffer, offset: 0, rows: this.rows, columns: this.columns });
      for (const piece of rowPieces(tensor, index * this.rows, this.rows)) {
        recorder.copy(piece.buffer, piece.offset, buffer, piece.target, piece.bytes);
      }
    });
    recorder.submit();
    if (this.#waiting.length >= sequenceNames.length * this.options.mostStates) await this.finish();
  }

  /** Computes the spectra of all copies that wait, and frees them. */
  async finish(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await this.gpu.finish(); // the forward pass up to here is not the spectrum's time
    const started = performance.now();
    const { signal, scratchBytes, onProgress } = this.options;
    const matrices = this.#waiting.length;
    const spectra = await computeSpectra(this.gpu, this.#waiting, {
      ...(signal ? { signal } : {}),
      scratchBytes,
      onProgress: (done, total) => {
        onProgress(this.#done + Math.floor((matrices * done) / total));
      },
    });
    const together = Math.max(1, Math.floor(HELD_BYTES / this.#matrixBytes));
    for (let first = 0; first < spectra.length; first += together)
      await this.#measure(spectra.slice(first, first + together));
    this.#done += matrices;
    onProgress(this.#done);
    this.dispose();
    this.milliseconds += performance.now() - started;
  }

  /** Reads the first of the waiting states back, frees their copies and measures them. */
  async #measure(spectra: readonly Spectrum[]): Promise<void> {
    const { threshold, request, signal, onNotice } = this.options;
    const held: HeldMatrix[] = [];
    for (const { singularValues, cumulativePercent } of spectra) {
      const { name, buffer, rows, columns } = this.#waiting[0]!;
      const values = new Float32Array(await this.gpu.readBytes(buffer, 0, this.#matrixBytes));
      this.gpu.free(buffer);
      this.#waiting.shift();
      const dimensions = layerDimensions(singularValues, rows, columns, threshold, cumulativePercent);
      const measured = { singularValues: Float64Array.from(singularValues), dimensions };
      held.push({ name, rows, columns, values, measured });
    }
    const states = await measureStates(this.gpu, held, request, {
      threshold,
      ...(signal && { signal }),
      ...(onNotice && { onNotice }),
    });
    for (const [index, state] of states.entries()) {
      // States come layer by layer, one of each sequence in turn.
      const sequence = sequenceNames[this.#measured++ % sequenceNames.length]!;
      this.singularValues[sequence].push(spectra[index]!.singularValues);
      this.states[sequence].push(state);
    }
  }

  /** Frees the copies. */
  dispose(): void {
    for (const { buffer } of this.#waiting.splice(0)) this.gpu.free(buffer);
  }
}

/** Where rows [first, first + count) of a tensor lie: byte ranges of its parts and their place in a whole copy. */
function* rowPieces(
  tensor: Tensor,
  first: number,
  count: number,
): Generator<{ buffer: GPUBuffer; offset: number; target: number; bytes: number }> {
  const rowBytes = 4 * (tensor.size / tensor.shape[0]!);
  for (const part of tensor.parts) {
    const from = Math.max(first, part.firstRow);
    const to = Math.min(first + count, part.firstRow + part.rows);
    if (from >= to) continue;
    yield {
      buffer: part.buffer,
      offset: (from - part.firstRow) * rowBytes,
      target: (from - first) * rowBytes,
      bytes: (to - from) * rowBytes,
    };
  }
}
