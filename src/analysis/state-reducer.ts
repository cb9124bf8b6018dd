import type { Gpu } from '../engine/gpu/gpu.ts';
import type { Tensor } from '../engine/gpu/tensor.ts';
import type { HiddenState } from '../engine/model.ts';
import { layerDimensions } from './dimensions.ts';
import { measureStates } from './measures/layer-measures.ts';
import type { MeasuredState } from './measures/layer-measures.ts';
import type { HeldMatrix, ViewRequest } from './measures/measure-views.ts';
import type { FewRows } from './measures/neighbours.ts';
import { HELD_BYTES } from './plan.ts';
import type { ProfileOptions } from './profile.ts';
import { computeSpectra } from './spectrum.ts';
import type { Spectrum } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';
import type { ViewName } from './views.ts';

/** Collects copies of states and turns a full collection into spectra, all its matrices at once, and measures them. */
export class StateReducer {
  /** The singular values of each sequence. */
  readonly singularValues: readonly Float32Array[][];
  readonly states: readonly MeasuredState[][];
  /** The singular values of each sequence's views other than `all`, a row for each state; see `paddedTo`. */
  readonly viewValues: readonly Partial<Record<ViewName, Float32Array[]>>[];
  /** Milliseconds that spectra and measures have taken so far. */
  milliseconds = 0;
  readonly #waiting: MatrixView[] = [];
  #done = 0;
  #measured = 0;

  constructor(
    private readonly gpu: Gpu,
    private readonly names: readonly string[],
    private readonly rows: number,
    private readonly columns: number,
    private readonly options: {
      /** The place in the batch of the first of these sequences. */
      readonly firstSequence: number;
      readonly threshold: number;
      readonly request: ViewRequest | undefined;
      readonly signal: AbortSignal | undefined;
      readonly maxStates: number;
      readonly scratchBytes: number;
      readonly onProgress: (done: number) => void;
      readonly onFewRows: (few: FewRows) => void;
      readonly onRounding: (name: string) => void;
      readonly onLayer: ProfileOptions['onLayer'];
    },
  ) {
    this.singularValues = names.map(() => []);
    this.states = names.map(() => []);
    this.viewValues = names.map(() => ({}));
  }

  get #matrixBytes(): number {
    return 4 * this.rows * this.columns;
  }

  /** Keeps a copy of a state; its tensor belongs to the run. */
  async add({ name, layer, tensor }: HiddenState): Promise<void> {
    if (name !== 'hidden_states') return;
    const recorder = this.gpu.recorder();
    this.names.forEach((sequence, index) => {
      const label = `layer ${layer}, ${sequence}`;
      const buffer = this.gpu.allocate(`states of ${label}`, this.#matrixBytes);
      this.#waiting.push({ name: label, buffer, offset: 0, rows: this.rows, columns: this.columns });
      for (const piece of rowPieces(tensor, (this.options.firstSequence + index) * this.rows, this.rows)) {
        recorder.copy(piece.buffer, piece.offset, buffer, piece.target, piece.bytes);
      }
    });
    recorder.submit();
    if (this.#waiting.length >= this.names.length * this.options.maxStates) await this.finish();
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
    const { threshold, request, signal, onFewRows, onRounding } = this.options;
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
      onFewRows,
      onRounding,
    });
    for (const [index, state] of states.entries()) {
      // States come layer by layer, one of each sequence in turn.
      const sequence = this.#measured++ % this.names.length;
      this.singularValues[sequence]!.push(spectra[index]!.singularValues);
      this.options.onLayer?.(this.names[sequence]!, this.states[sequence]!.length, state.layer);
      this.states[sequence]!.push(state);
      const components = Math.min(this.rows, this.columns);
      for (const [view, values] of Object.entries(state.viewValues))
        (this.viewValues[sequence]![view as ViewName] ??= []).push(paddedTo(components, values));
    }
  }

  /** Frees the copies. */
  dispose(): void {
    for (const { buffer } of this.#waiting.splice(0)) this.gpu.free(buffer);
  }
}

/** Singular values as a row of a matrix; a view has at most as many as the state itself, and zeros follow them. */
function paddedTo(components: number, values: Float64Array): Float32Array {
  const row = new Float32Array(components);
  row.set(values);
  return row;
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
