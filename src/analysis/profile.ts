import type { Gpu } from '../engine/gpu/gpu.ts';
import type { Tensor } from '../engine/gpu/tensor.ts';
import type { HiddenState, Model } from '../engine/model.ts';
import { layerDimensions } from './dimensions.ts';
import { planProfile } from './plan.ts';
import type { SequenceMeasurements, SequenceName } from './report.ts';
import { sequenceNames } from './report.ts';
import { computeSpectra } from './spectrum.ts';
import type { Spectrum } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';

export interface ProfileOptions {
  /** Percent of the variance that the effective dimension must exceed. */
  readonly threshold: number;
  readonly signal?: AbortSignal | undefined;
  /** Called as the forward pass goes on. */
  readonly onForward?: (done: number, total: number) => void;
  /** Called as spectra are done, in matrices: two for each of the L + 1 states. */
  readonly onSpectrum?: (done: number, total: number) => void;
  /** Told what a user should know of the result. */
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** The laminar profile of two sequences. */
export interface Profile {
  readonly sequences: Readonly<Record<SequenceName, SequenceMeasurements>>;
  /** One for each state 0 to L, [min(T, d)] each. */
  readonly singularValues: Readonly<Record<SequenceName, readonly Float32Array[]>>;
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
  const { threshold, signal, onForward, onSpectrum, onNotice } = options;
  const tokens = ids.real.length;
  const { layers, width } = model.config;
  const { memoryLimit, adapter } = gpu;
  const { description, isResident } = model;
  const software = adapter.software;
  const plan = planProfile({ model: description, tokens, memoryLimit, software, isResident });
  const reducer = new StateReducer(gpu, tokens, width, {
    signal,
    mostStates: plan.statesAtOnce,
    scratchBytes: plan.scratch,
    onProgress: (done) => onSpectrum?.(done, sequenceNames.length * (layers + 1)),
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
      },
    );
    await reducer.finish();
    const spectrum = reducer.milliseconds;
    const measure = (name: SequenceName, index: number): SequenceMeasurements => ({
      ids: ids[name],
      maxLogSoftmax: result.maxLogSoftmax?.[index] ?? null,
      layers: reducer.spectra[name].map(({ singularValues, cumulativePercent }) =>
        layerDimensions(singularValues, tokens, width, threshold, cumulativePercent),
      ),
    });
    const values = (name: SequenceName) => reducer.spectra[name].map(({ singularValues }) => singularValues);
    return {
      sequences: { real: measure('real', 0), shuffled: measure('shuffled', 1) },
      singularValues: { real: values('real'), shuffled: values('shuffled') },
      timings: { forward: performance.now() - started - spectrum, spectrum },
    };
  } finally {
    reducer.dispose();
  }
}

/** Collects copies of states and turns a full collection into spectra, all its matrices at once. */
class StateReducer {
  readonly spectra: Record<SequenceName, Spectrum[]> = { real: [], shuffled: [] };
  /** What the spectra alone have taken so far. */
  milliseconds = 0;
  readonly #waiting: MatrixView[] = [];
  #done = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly rows: number,
    private readonly columns: number,
    private readonly options: {
      readonly signal: AbortSignal | undefined;
      readonly mostStates: number;
      readonly scratchBytes: number;
      readonly onProgress: (done: number) => void;
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
    spectra.forEach((spectrum, index) => {
      this.spectra[sequenceNames[index % sequenceNames.length]!].push(spectrum);
    });
    this.#done += matrices;
    onProgress(this.#done);
    this.dispose();
    this.milliseconds += performance.now() - started;
  }

  /** Frees the copies. */
  dispose(): void {
    for (const { buffer } of this.#waiting.splice(0)) this.gpu.free(buffer);
  }
}

/** How much scratch spectra may take where there is no model: 512 MiB, or half of what --gpu-memory leaves. */
export function spectrumScratch(gpu: Gpu): number {
  return Math.min(2 ** 29, (gpu.memoryLimit - gpu.allocatedBytes) / 2);
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
