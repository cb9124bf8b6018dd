import type { ModelDescription } from '../engine/description.ts';
import { evenGroups } from '../engine/gpu/tuning.ts';
import type { HookSpec } from '../engine/hooks.ts';
import { planWeights } from '../engine/memory.ts';
import type { WeightPlan } from '../engine/memory.ts';
import { joinWork, operationsOf } from '../engine/work.ts';
import type { WorkByKernel } from '../engine/work.ts';
import { matrixColumns, measuredHooks } from './measured-hooks.ts';
import type { ViewRequest } from './measures/measure-views.ts';
import { planMeasures } from './plan-measures.ts';
import { spectrumWork } from './plan-spectrum.ts';
import { spectrumShape, workspaceBytes } from './spectrum/workspace.ts';

/** The maximum number of bytes of copies of states that wait for their spectra, and of the spectra's scratch. */
const MAX_STATES_BYTES = 256 * 2 ** 20;
const MAX_SCRATCH_BYTES = 512 * 2 ** 20;
/** Real and shuffled, which every profile has; they run as one batch. */
const SEQUENCES = 2;
/** More sequences run at once as long as their activations take at most this many bytes. */
const MAX_ACTIVATION_BYTES = 256 * 2 ** 20;
const MAX_SEQUENCES = 64;
/** The maximum number of bytes of states in the host's memory at once. */
export const HELD_BYTES = 32 * 2 ** 20;
/**
 * What a process holds besides GPU buffers, as measured (bench/memory.md): Node, Dawn and the figures' packages, file
 * chunks on their way, and their copies that the driver keeps until it has them.
 */
const PROCESS_BYTES = 640 * 2 ** 20;

/** What a process holds that runs a model once. @param software whether the GPU's buffers are in its memory, too */
export function processBytes(gpuBytes: number, software: boolean): number {
  return PROCESS_BYTES + (software ? gpuBytes : 0);
}

export interface PlanInput {
  readonly model: Pick<ModelDescription, 'config' | 'sizes' | 'activationBytes' | 'work' | 'hooks'>;
  /** T, the length of each sequence. */
  readonly tokens: number;
  /** How many sequences are run; default the usual two. */
  readonly sequences?: number | undefined;
  /** Bytes; Infinity for no bound. */
  readonly memoryLimit: number;
  /** The CPU plays the GPU: its buffers are the process's memory. */
  readonly software: boolean;
  /** Views and measures of every state. */
  readonly request?: ViewRequest | undefined;
  /** Named activations that are measured, too. */
  readonly at?: readonly string[] | undefined;
  /** Tokens of a tile of lm_head where the device folds logits as it makes them; they are not written then. */
  readonly foldedColumns?: number | undefined;
  /** Given if it is already decided; else it follows from the sizes and the limit. */
  readonly isResident?: boolean;
}

/** What `laminar profile` will need. Memory and reads in bytes, each an upper bound. */
export interface ProfilePlan {
  readonly weights: WeightPlan;
  /** How many sequences are measured at once, batch after batch: each passes through all weights. */
  readonly groups: readonly number[];
  /** Whether the text runs along in every batch but the first, to be compared with the others. */
  readonly textRunsAlong: boolean;
  /** Sequences of the largest batch. */
  readonly sequencesAtOnce: number;
  /** Bytes of the largest batch, without copies of named activations. */
  readonly activations: number;
  /** Copies of named activations on their way to the host. */
  readonly captures: number;
  /** Copies of states that wait for their spectra: how many states at once, and their bytes. */
  readonly statesAtOnce: number;
  readonly states: number;
  /** The named activations that are measured, and those that were asked for and are not matrices. */
  readonly measuredHooks: readonly HookSpec[] | undefined;
  readonly skippedHooks: readonly string[];
  /** Copies of named activations that wait for their spectra: how many at once, and their bytes; 0 where there are none. */
  readonly hooksAtOnce: number;
  readonly hooks: number;
  /** Scratch that the spectra, and measures and views after them, may take. */
  readonly scratch: number;
  /** All GPU buffers at once. */
  readonly gpu: number;
  /** The smallest --gpu-memory with which this run can finish. */
  readonly minGpu: number;
  /** The whole process; with a software adapter, the GPU's buffers too. */
  readonly host: number;
  /** From the checkpoint's files. */
  readonly reads: number;
  /** Floating-point operations, of all sequences. */
  readonly operations: { readonly forward: number; readonly spectrum: number; readonly measures: number };
  /** Operations and bytes of each kernel. */
  readonly work: { readonly forward: WorkByKernel; readonly spectrum: WorkByKernel };
}

/**
 * Divides the GPU memory among weights, activations, states and the spectra's scratch. Weights stay if there is room
 * for all of them; else two blocks of them pass through. The rest goes to states and scratch, in batches as large as
 * fit. If there are more than two sequences, as many run at once as fit. A run follows this plan, and `profile --plan`
 * prints it.
 * @throws InputError naming an activation that the model does not have
 */
export function planProfile(input: PlanInput): ProfilePlan {
  const { model, tokens, memoryLimit, software, sequences = SEQUENCES, request, at } = input;
  const { config, sizes } = model;
  const states = config.layers + 1;
  const minNeeds = needsOf(input, Math.min(SEQUENCES, sequences));
  const planned = planWeights(sizes, minNeeds.activations + minNeeds.captures + minNeeds.beside, memoryLimit);
  const isResident = input.isResident ?? planned.isResident;
  const weights = isResident === planned.isResident ? planned : { ...planned, isResident, bytes: sizes.all };

  const groups = groupsOf(input, memoryLimit - weights.bytes);
  const textRunsAlong = isCompared(request);
  const batches = groups.map((size, index) => size + (textRunsAlong && index > 0 ? 1 : 0));
  const needs = needsOf(input, Math.max(...batches));
  const { together, shape, stateBytes, hookBytes, hookShapes, minScratch, measures } = needs;
  const activations = needs.activations + needs.captures;
  const room = Math.max(0, memoryLimit - weights.bytes - activations);
  const statesBudget = Math.min(MAX_STATES_BYTES, room / 3);
  const statesAtOnce = Math.min(states, Math.max(1, Math.floor(statesBudget / stateBytes)));
  const statesBytes = statesAtOnce * stateBytes;
  const hooksBudget = Math.min(MAX_STATES_BYTES, room / 6);
  const hooksAtOnce = Math.min(
    hookShapes.length,
    Math.max(1, Math.floor(hooksBudget / Math.max(1, hookBytes))),
  );
  const hooksBytes = hooksAtOnce * hookBytes;
  const scratchBudget = Math.max(minScratch, Math.min(MAX_SCRATCH_BYTES, room - statesBytes - hooksBytes));
  const held = Math.max(
    1,
    Math.min(together * statesAtOnce, Math.floor(HELD_BYTES / (stateBytes / together))),
  );
  const usefulScratch = [
    workspaceBytes(shape, together * statesAtOnce),
    ...hookShapes.map((hook) => workspaceBytes(hook, together * hooksAtOnce)),
    measures.bytes(held),
  ];
  const scratch = Math.min(scratchBudget, Math.max(...usefulScratch));

  const gpu = weights.bytes + activations + statesBytes + hooksBytes + scratch;
  const minGpu = weights.minBytes + minNeeds.activations + minNeeds.captures + minNeeds.beside;
  const bounded = Math.max(minGpu, Math.min(gpu, memoryLimit));
  const hooks = at && measuredHooks(model, at, { sequences: together, tokens });
  const work = {
    forward: batches.map((size) => model.work(size, tokens, input.foldedColumns)).reduce(joinWork),
    spectrum: hookShapes
      .map(({ columns }) => spectrumWork(tokens, columns, sequences))
      .reduce(joinWork, spectrumWork(tokens, config.width, sequences * states)),
  };
  return {
    weights,
    groups,
    textRunsAlong,
    sequencesAtOnce: together,
    activations: needs.activations,
    captures: needs.captures,
    statesAtOnce,
    states: statesBytes,
    measuredHooks: hooks && hooks.measured,
    skippedHooks: hooks ? hooks.skipped : [],
    hooksAtOnce,
    hooks: hooksBytes,
    scratch,
    gpu: bounded,
    minGpu: Math.min(minGpu, gpu),
    host: processBytes(bounded, software) + comparedBytes(input, together),
    reads: (isResident ? 1 : groups.length) * sizes.read + sequences * tokens * sizes.embeddingRow,
    operations: {
      forward: operationsOf(work.forward),
      spectrum: operationsOf(work.spectrum),
      measures: sequences * states * planMeasures(tokens, config.width, request).operations,
    },
    work,
  };
}

/** What a batch of `together` sequences takes on the GPU besides weights. */
function needsOf({ model, tokens, request, at }: PlanInput, together: number) {
  const { width } = model.config;
  const shape = spectrumShape(tokens, width);
  const hooks = at && measuredHooks(model, at, { sequences: together, tokens });
  const measured = hooks?.measured ?? [];
  const hookShapes = measured.map((spec) => spectrumShape(tokens, matrixColumns(spec)));
  const hookBytes = Math.max(0, ...hookShapes.map(({ columns }) => together * 4 * tokens * columns));
  const measures = planMeasures(tokens, width, request);
  const stateBytes = together * 4 * tokens * width;
  const minScratch = Math.max(
    workspaceBytes(shape, 1),
    ...hookShapes.map((hook) => workspaceBytes(hook, 1)),
    measures.minBytes,
  );
  const activations = model.activationBytes(together, tokens);
  return {
    together,
    shape,
    activations,
    captures: hooks ? model.activationBytes(together, tokens, hooks.planned) - activations : 0,
    stateBytes,
    hookShapes,
    hookBytes,
    measures,
    minScratch,
    /** The smallest numbers of states, hooks and scratch. */
    beside: stateBytes + hookBytes + minScratch,
  };
}

/**
 * Sizes of the batches: two sequences, or as many more as the bound leaves room for once the weights have theirs. What is
 * measured of a sequence is the same in any batch.
 */
function groupsOf(input: PlanInput, room: number): number[] {
  const { sequences = SEQUENCES } = input;
  if (sequences <= SEQUENCES) return [sequences];
  for (let together = Math.min(sequences, MAX_SEQUENCES); together > SEQUENCES; together -= 1) {
    const { activations, captures, beside } = needsOf(input, together);
    const fits = activations + captures <= Math.min(MAX_ACTIVATION_BYTES, room / 3);
    if (fits && activations + captures + beside <= room) return batchesOf(input, together);
  }
  return batchesOf(input, SEQUENCES);
}

function batchesOf({ sequences = SEQUENCES, request }: PlanInput, together: number): number[] {
  if (!isCompared(request)) return evenGroups(sequences, together);
  const first = Math.min(sequences, together);
  return [first, ...evenGroups(sequences - first, together - 1)];
}

function isCompared(request: ViewRequest | undefined): boolean {
  return (request?.comparisons ?? []).length > 0;
}

/** On the host: of each sequence two layers' states in float64, and a copy of a layer's on its way. */
function comparedBytes({ model, tokens, request }: PlanInput, together: number): number {
  return isCompared(request) ? together * (2 * 8 + 2 * 4) * tokens * model.config.width : 0;
}
