import type { Gpu } from '../engine/gpu/gpu.ts';
import { layerOf, withAnyLayer } from '../engine/hooks.ts';
import type { CapturedActivation } from '../engine/hooks.ts';
import { layerDimensions } from './dimensions.ts';
import type { LayerDimensions } from './dimensions.ts';
import { computeSpectra } from './spectrum.ts';
import type { MatrixView } from './spectrum/matrix-view.ts';

/** A named activation of one sequence, measured as a matrix of tokens by features. */
export interface HookMeasurement extends LayerDimensions {
  /** The number of its block, from 0; null before and after the blocks. */
  readonly layer: number | null;
  readonly name: string;
  /** The number of columns; heads stand side by side in them. */
  readonly columns: number;
}

/** By name, with * for the layer's number; in the order of the pass. */
export type HookMeasurements = Readonly<Record<string, readonly HookMeasurement[]>>;

interface HookSpectraOptions {
  readonly threshold: number;
  /** How many activations wait at once for their spectra. */
  readonly maxAtOnce: number;
  readonly scratchBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reduces named activations to their spectra while they pass by: a bounded number of them is held. */
export class HookSpectra implements Disposable {
  /** By sequence and name. */
  readonly measurements: Readonly<Record<string, Record<string, HookMeasurement[]>>>;
  /** By the names of `measurements`, a row for each of theirs. */
  readonly singularValues: Readonly<Record<string, Record<string, Float32Array[]>>>;
  /** Milliseconds that the spectra alone have taken so far. */
  milliseconds = 0;
  readonly #waiting: { readonly name: string; readonly sequence: string; readonly view: MatrixView }[] = [];

  /** @param sequences their names, in the order of the batch */
  constructor(
    private readonly gpu: Gpu,
    private readonly sequences: readonly string[],
    private readonly tokens: number,
    private readonly options: HookSpectraOptions,
  ) {
    this.measurements = Object.fromEntries(sequences.map((name) => [name, {}]));
    this.singularValues = Object.fromEntries(sequences.map((name) => [name, {}]));
  }

  /** Takes an activation of all sequences, in their order: [sequences, T, …]. */
  async add({ name, values }: CapturedActivation): Promise<void> {
    const size = values.length / this.sequences.length;
    const columns = size / this.tokens;
    // Matrices of one size are reduced together.
    const [first] = this.#waiting;
    const isFull = this.#waiting.length >= this.sequences.length * this.options.maxAtOnce;
    if (first && (isFull || first.view.columns !== columns)) await this.finish();
    this.sequences.forEach((sequence, index) => {
      const label = `${name}, ${sequence}`;
      const buffer = this.gpu.allocate(label, 4 * size);
      this.#waiting.push({
        name,
        sequence,
        view: { name: label, buffer, offset: 0, rows: this.tokens, columns },
      });
      this.gpu.write(buffer, 0, values.subarray(index * size, (index + 1) * size));
    });
  }

  /** Computes the spectra of all that wait, and frees them. */
  async finish(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await this.gpu.finish(); // the forward pass up to here is not the spectrum's time
    const started = performance.now();
    const { threshold, scratchBytes, signal } = this.options;
    const views = this.#waiting.map(({ view }) => view);
    const spectra = await computeSpectra(this.gpu, views, { ...(signal && { signal }), scratchBytes });
    for (const [index, { name, sequence, view }] of this.#waiting.entries()) {
      const { singularValues, cumulativePercent } = spectra[index]!;
      const { rows, columns } = view;
      const dimensions = layerDimensions(singularValues, rows, columns, threshold, cumulativePercent);
      const hook = withAnyLayer(name);
      const measurement = { layer: layerOf(name) ?? null, name, columns, ...dimensions };
      (this.measurements[sequence]![hook] ??= []).push(measurement);
      (this.singularValues[sequence]![hook] ??= []).push(singularValues);
    }
    this[Symbol.dispose]();
    this.milliseconds += performance.now() - started;
  }

  [Symbol.dispose](): void {
    for (const { view } of this.#waiting.splice(0)) this.gpu.free(view.buffer);
  }
}
