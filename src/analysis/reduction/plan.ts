import type { Branch } from '../../engine/branches.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { planWeights } from '../../engine/memory.ts';
import type { WeightPlan } from '../../engine/memory.ts';
import { operationsOf } from '../../engine/work.ts';
import { spectrumWork } from '../plan-spectrum.ts';
import { spectrumShape, workspaceBytes } from '../spectrum/workspace.ts';

/** The maximum number of bytes of the activations of one pass, if nothing else bounds them. */
const MAX_ACTIVATION_BYTES = 2 ** 30;

export interface ReductionPlanInput {
  readonly model: Pick<
    ModelDescription,
    'config' | 'sizes' | 'activationBytes' | 'operations' | 'products' | 'weights'
  >;
  /** T, of each sequence. */
  readonly tokens: number;
  readonly sequences: number;
  /** The branches, in the order of their points. */
  readonly branches: readonly Branch[];
  /** Bytes; Infinity for no bound. */
  readonly memoryLimit: number;
  /** The largest buffer of the device, in bytes. */
  readonly maxBufferSize: number;
  /** Given if it is already decided. */
  readonly isResident?: boolean | undefined;
}

/** Cuts that run together. */
export interface ReductionPass {
  /** The state at which it starts, 0 for the embedding. */
  readonly start: number;
  /** The first of its branches, and how many there are. */
  readonly first: number;
  readonly count: number;
}

/** What a sweep will need. Memory and reads in bytes, each an upper bound. */
export interface ReductionPlan {
  readonly weights: WeightPlan;
  readonly passes: readonly ReductionPass[];
  /** Sequences and cuts that run together in the largest pass. */
  readonly slots: number;
  readonly activations: number;
  /** What the cuts take: singular vectors, and copies of states. */
  readonly cuts: number;
  readonly gpu: number;
  /** The smallest --gpu-memory with which this run can finish. */
  readonly minGpu: number;
  /** From the checkpoint's files. */
  readonly reads: number;
  /** States on the host, at which later passes start. */
  readonly saved: number;
  /** Floating-point operations of all passes; of the cuts, with the spectra that they need, about. */
  readonly operations: { readonly forward: number; readonly cuts: number };
}

/**
 * Divides the GPU memory. Weights stay if there is room for them next to one cut, and as many cuts run together as fit.
 * Cuts go into passes from the first layer on. Each later pass starts where its first cut is, so that few weights are
 * read again.
 */
export function planReduction(input: ReductionPlanInput): ReductionPlan {
  const { model, tokens, sequences, branches, memoryLimit, maxBufferSize } = input;
  const { config, sizes } = model;
  const stateBytes = 4 * tokens * config.width;
  const { vectors, length4 } = spectrumShape(tokens, config.width);
  const shape = spectrumShape(tokens, config.width);
  // A state and a cut one, singular vectors, their images, and the SVD's scratch.
  const cuts = workspaceBytes(shape, 1) + 2 * stateBytes + 4 * vectors * (vectors + 4 * length4 + 8);
  // Copies of states when the batch grows, and of the last ones for the head.
  const activationsOf = (slots: number) =>
    model.activationBytes(1, slots * tokens) + (2 * slots + sequences) * stateBytes + 16 * slots * tokens;
  const minSlots = sequences + 1;
  const planned = planWeights(sizes, activationsOf(minSlots) + cuts, memoryLimit);
  const isResident = input.isResident ?? planned.isResident;
  const weights = isResident === planned.isResident ? planned : { ...planned, isResident, bytes: sizes.all };

  const room = memoryLimit - weights.bytes - cuts;
  const widest = Math.max(...model.products().block.map(({ columns }) => columns));
  const fits = (slots: number) =>
    activationsOf(slots) <= Math.min(room, MAX_ACTIVATION_BYTES) &&
    4 * slots * tokens * widest <= maxBufferSize;
  let slots = minSlots;
  while (slots < sequences + branches.length && fits(slots + 1)) slots += 1;

  const passes: ReductionPass[] = [];
  for (let first = 0; first < branches.length; first += slots - sequences) {
    const count = Math.min(slots - sequences, branches.length - first);
    passes.push({ start: Math.min(branches[first]!.point, config.layers), first, count });
  }
  // The first pass also saves the states at which the later ones start.
  if (passes[0]) passes[0] = { ...passes[0], start: 0 };
  const blockBytes = model.weights.blocks.map((block) =>
    Object.values(block).reduce((sum, { entry }) => sum + entry.bytes, 0),
  );
  const ofHead = model.weights.head?.entry.bytes ?? 0;
  const streamed = passes.reduce(
    (sum, { start }) => sum + ofHead + blockBytes.slice(start).reduce((total, bytes) => total + bytes, 0),
    0,
  );
  const ofSpectrum = operationsOf(spectrumWork(tokens, config.width, 1));
  const operationsOfSlot = model.operations(1, tokens) / config.layers;
  const layersRun = passes.reduce((sum, { start, first, count }) => {
    const ofBranches = branches
      .slice(first, first + count)
      .map(({ point }) => config.layers - Math.min(point, config.layers));
    return sum + sequences * (config.layers - start) + ofBranches.reduce((total, run) => total + run, 0);
  }, 0);
  const operationsOfCuts = passes.reduce((sum, { first, count }) => {
    const own = branches.slice(first, first + count);
    const decomposed = new Set(own.map(({ point, sequence }) => `${point} ${sequence}`)).size;
    // (X − μ) V Vᵀ with all directions: two products, of two operations a term.
    return sum + decomposed * ofSpectrum + count * 4 * tokens * config.width * vectors;
  }, 0);
  const activations = activationsOf(slots);
  return {
    weights,
    passes,
    slots,
    activations,
    cuts,
    gpu: weights.bytes + activations + cuts,
    minGpu: Math.min(weights.minBytes, weights.bytes) + activationsOf(minSlots) + cuts,
    reads: (isResident ? sizes.read : streamed + sizes.finalNorm) + sequences * tokens * sizes.embeddingRow,
    saved: new Set(passes.slice(1).map(({ start }) => start)).size * sequences * stateBytes,
    operations: { forward: layersRun * operationsOfSlot, cuts: operationsOfCuts },
  };
}
