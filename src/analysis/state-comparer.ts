import { inSlices } from '../engine/abort.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import type { HiddenState } from '../engine/model.ts';
import type { ComparisonName, LayerComparisons } from './measures/comparisons.ts';
import { ComparedState } from './measures/pairs.ts';

/**
 * Compares states with those of the layer before and with the text's, during the pass. Two layers of each sequence are
 * held on the host.
 */
export class StateComparer {
  /** The comparisons of each sequence, by layer. */
  readonly layers: readonly LayerComparisons[][];
  /** Milliseconds that comparing has taken so far. */
  milliseconds = 0;
  #before: readonly ComparedState[] = [];

  /** @param sequences their names in the order of the batch, the text first */
  constructor(
    private readonly gpu: Gpu,
    private readonly sequences: readonly string[],
    private readonly asked: readonly ComparisonName[],
    private readonly signal: AbortSignal | undefined,
  ) {
    this.layers = sequences.map(() => []);
  }

  /** @throws NumericalError naming a state that holds NaN or infinity, and the signal's reason if it aborts */
  async add({ name, layer, tensor }: HiddenState): Promise<void> {
    if (name !== 'hidden_states') return;
    await this.gpu.finish(); // the forward pass up to here is not the comparison's time
    const started = performance.now();
    const values = await this.gpu.readFloats(tensor);
    const columns = tensor.shape[1]!;
    const size = values.length / this.sequences.length;
    const states = this.sequences.map(
      (sequence, index) =>
        new ComparedState({
          name: `layer ${layer}, ${sequence}`,
          rows: size / columns,
          columns,
          values: values.slice(index * size, (index + 1) * size),
        }),
    );
    for (const [index, own] of states.entries()) {
      const before = this.#before[index];
      const real = index === 0 ? undefined : states[0]!;
      const compared: LayerComparisons = {};
      if (this.asked.includes('cka'))
        compared.cka = {
          before: before ? await this.#inSlices(before.alignmentSteps(own)) : null,
          real: real ? await this.#inSlices(real.alignmentSteps(own)) : null,
        };
      if (this.asked.includes('angles'))
        compared.angles = {
          before: before ? await this.#inSlices(before.anglesSteps(own)) : null,
          real: real ? await this.#inSlices(real.anglesSteps(own)) : null,
        };
      this.layers[index]!.push(compared);
    }
    this.#before = states;
    this.milliseconds += performance.now() - started;
  }

  #inSlices<Value>(steps: Generator<void, Value>): Promise<Value> {
    return inSlices(steps, this.signal);
  }
}
