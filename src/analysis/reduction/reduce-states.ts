import type { Branch, BranchedLogits, BranchedState } from '../../engine/branches.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { Model } from '../../engine/model.ts';
import { checkComponents } from './components.ts';
import type { Components } from './components.ts';
import { layerAt, pointOf } from './cut-layers.ts';
import type { CutLayer } from './cut-layers.ts';
import { stateChange } from './kernels.ts';
import { planReduction } from './plan.ts';
import { ReducibleMatrix } from './reduce-matrix.ts';
import type { Cut } from './reduce-matrix.ts';

/** Which states are cut, and to how many components: every layer to every number, each in a run of its own. */
export interface ReductionRequest {
  readonly layers: readonly CutLayer[];
  readonly components: readonly Components[];
}

export interface ReductionOptions {
  readonly signal?: AbortSignal | undefined;
  /** Steps done and steps in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onNotice?: ((notice: string) => void) | undefined;
}

/** How far a state is from what it was without the cut. */
export interface StateChange {
  readonly layer: CutLayer;
  /** ‖changed − original‖ / ‖original‖, Frobenius; null if the original is zero. */
  readonly relative_change: number | null;
}

/** What a cut does to the logits; [T] each. */
export interface LogitsEffect {
  /** Σ p ln(p / q) in nats, p without the cut and q with it. */
  readonly divergence: Float64Array;
  /** The largest |Δ ln p| of any token. */
  readonly largest: Float64Array;
  /** The share of positions, 0 to 1, at which the most probable token stays. */
  readonly argmaxAgreement: number;
}

/** One run with one state cut. */
export interface StateReduction extends Cut {
  /** Which of the sequences that were given. */
  readonly sequence: number;
  readonly layer: CutLayer;
  readonly asked: Components;
  readonly rank: number;
  /** The cut state and all later ones, in the order of the pass. */
  readonly states: readonly StateChange[];
  /** null if the model gives no logits. */
  readonly logits: LogitsEffect | null;
  /** [T − 1] in nats; null if `logits` is null. */
  readonly loss: Float32Array | null;
}

export interface Reductions {
  /** The cuts, by layer, then by sequence, then by components. */
  readonly cuts: readonly StateReduction[];
  /** The loss of each sequence without a cut, [T − 1] in nats; null if the model gives no logits. */
  readonly loss: readonly Float32Array[] | null;
}

interface PlannedCut extends Branch {
  readonly asked: Components;
}

/**
 * The cuts of a request, in the order in which they run. @throws InputError for a layer or a number of components that
 * does not exist
 */
export function planCuts(
  { layers: asked, components }: ReductionRequest,
  layers: number,
  sequences: number,
): PlannedCut[] {
  for (const each of components) checkComponents(each);
  const points = [...new Set(asked.map((layer) => pointOf(layer, layers)))].sort((a, b) => a - b);
  return points.flatMap((point) =>
    Array.from({ length: sequences }, (_, sequence) =>
      [...new Set(components)].map((each): PlannedCut => ({ sequence, point, asked: each })),
    ).flat(),
  );
}

/**
 * Cuts states to their first components and runs the rest of the model, to see what depends on the others. A state
 * X [T, width] becomes μ + (X − μ) V_r V_rᵀ. All cuts run together with their sequences, in as few passes as memory allows.
 * States before a cut are computed once. Each pass decomposes a layer once and reads a weight once.
 *
 * @param sequences token ids, each of the same length from 1 to the context
 * @throws InputError for layers, components or ids that do not suit, NumericalError if a state is not finite, DeviceError,
 * and the signal's reason if it aborts
 */
export async function reduceSequences(
  model: Model,
  sequences: readonly Int32Array[],
  request: ReductionRequest,
  options: ReductionOptions = {},
): Promise<Reductions> {
  const { gpu, description, config, isResident } = model;
  const { all, finalNorm } = description.sizes;
  const others = Math.max(0, gpu.allocatedBytes - (isResident ? all : finalNorm));
  const planned = planCuts(request, config.layers, sequences.length);
  const tokens = sequences[0]?.length ?? 0;
  const { passes } = planReduction({
    model: description,
    tokens,
    sequences: sequences.length,
    branches: planned,
    memoryLimit: gpu.memoryLimit - others,
    maxBufferSize: gpu.device.limits.maxBufferSize,
    isResident,
  });
  const starts = new Set(passes.slice(1).map(({ start }) => start));
  const saved = new Map<number, Float32Array[]>();
  const cuts: StateReduction[] = [];
  let loss: Float32Array[] | null = null;
  for (const [index, pass] of passes.entries()) {
    const branches = planned.slice(pass.first, pass.first + pass.count);
    using run = new ReductionRun(gpu, tokens, config, branches, options.signal);
    const states = saved.get(pass.start);
    const logits = await model.runBranched(sequences, branches, {
      signal: options.signal,
      onNotice: index === 0 ? options.onNotice : undefined,
      onProgress: (done, total) => options.onProgress?.(index * total + done, passes.length * total),
      ...(states && { start: { point: pass.start, states } }),
      onBranch: (state, first) => run.cut(state, first),
      onState: async (state) => {
        if (index === 0 && starts.has(state.point) && state.point > 0)
          saved.set(state.point, await run.readSequences(state));
        await run.measure(state);
      },
    });
    cuts.push(...run.results(logits, sequences.length));
    loss = logits && logits.slice(0, sequences.length).map((each) => each.loss);
  }
  return { cuts, loss };
}

/** The cuts of one pass. */
class ReductionRun implements Disposable {
  readonly #done: (Cut & { readonly rank: number })[] = [];
  readonly #changes: StateChange[][];
  readonly #state: GPUBuffer;
  readonly #reduced: GPUBuffer;
  readonly #bytes: number;

  constructor(
    private readonly gpu: Gpu,
    private readonly tokens: number,
    private readonly config: { readonly layers: number; readonly width: number },
    private readonly branches: readonly PlannedCut[],
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#bytes = 4 * tokens * config.width;
    this.#changes = branches.map(() => []);
    this.#state = gpu.allocate('state to cut', this.#bytes);
    try {
      this.#reduced = gpu.allocate('cut state', this.#bytes);
    } catch (error) {
      gpu.free(this.#state);
      throw error;
    }
  }

  /** Cuts the states of the branches that begin; each sequence's is decomposed once. */
  async cut(state: BranchedState, first: number): Promise<void> {
    const { gpu, tokens: rows, config, branches, signal } = this;
    for (let sequence = 0; sequence < state.sequences; sequence++) {
      const own = [...branches.keys()]
        .slice(first, state.begun)
        .filter((branch) => branches[branch]!.sequence === sequence);
      if (own.length === 0) continue;
      state.read(sequence, this.#state);
      const name = `the state of layer ${layerAt(state.point, config.layers)}, sequence ${sequence}`;
      const matrix = { name, buffer: this.#state, rows, columns: config.width };
      using reducible = await ReducibleMatrix.open(gpu, matrix, { signal });
      for (const branch of own) {
        const { asked } = branches[branch]!;
        this.#done[branch] = { ...(await reducible.reduceTo(asked, this.#reduced)), rank: reducible.rank };
        state.write(state.sequences + branch, this.#reduced);
      }
    }
  }

  /** How far the branches' states are from their sequences'. */
  async measure(state: BranchedState): Promise<void> {
    const { gpu, tokens, config, branches } = this;
    const { begun, sequences } = state;
    if (begun === 0) return;
    const squares = gpu.allocate('changes of states', 8 * begun * tokens);
    try {
      const recorder = gpu.recorder();
      for (const [branch, { sequence }] of branches.slice(0, begun).entries()) {
        const changed = state.rows(sequences + branch);
        const original = state.rows(sequence);
        recorder.dispatch(stateChange, {
          bindings: { changed: changed.binding, original: original.binding, squares },
          uniforms: {
            width: config.width,
            firstChanged: changed.firstElement,
            firstOriginal: original.firstElement,
            firstSquare: branch * tokens,
          },
          workgroups: [tokens],
        });
      }
      recorder.submit();
      const sums = new Float32Array(await gpu.readBytes(squares));
      for (const [branch, changes] of this.#changes.slice(0, begun).entries()) {
        let [change, norm] = [0, 0];
        for (let row = branch * tokens; row < (branch + 1) * tokens; row++) {
          change += sums[2 * row]!;
          norm += sums[2 * row + 1]!;
        }
        const layer = layerAt(state.point, config.layers);
        changes.push({ layer, relative_change: norm > 0 ? Math.sqrt(change / norm) : null });
      }
    } finally {
      gpu.free(squares);
    }
  }

  /** The states of the sequences themselves. */
  async readSequences(state: BranchedState): Promise<Float32Array[]> {
    const states: Float32Array[] = [];
    for (let sequence = 0; sequence < state.sequences; sequence++) {
      state.read(sequence, this.#state);
      states.push(new Float32Array(await this.gpu.readBytes(this.#state, 0, this.#bytes)));
    }
    return states;
  }

  results(logits: readonly BranchedLogits[] | null, sequences: number): StateReduction[] {
    return this.branches.map(({ sequence, point, asked }, branch) => {
      const own = logits?.[sequences + branch];
      const original = logits?.[sequence];
      return {
        sequence,
        layer: layerAt(point, this.config.layers),
        asked,
        ...this.#done[branch]!,
        states: this.#changes[branch]!,
        logits: own && original ? effectOf(own, original) : null,
        loss: own?.loss ?? null,
      };
    });
  }

  [Symbol.dispose](): void {
    this.gpu.free(this.#state);
    this.gpu.free(this.#reduced);
  }
}

function effectOf({ argmax, change }: BranchedLogits, original: BranchedLogits): LogitsEffect {
  const same = argmax.filter((token, position) => token === original.argmax[position]).length;
  return { ...change!, argmaxAgreement: same / argmax.length };
}
