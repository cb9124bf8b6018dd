import type { ModelDescription } from '../engine/description.ts';
import { planWeights } from '../engine/memory.ts';
import type { WeightPlan } from '../engine/memory.ts';
import { operationsOf } from '../engine/work.ts';
import type { WorkByKernel } from '../engine/work.ts';
import { matrixColumns } from './measured-hooks.ts';
import type { MeasuredHooks } from './measured-hooks.ts';
import { BLOCK, roundWork, spectrumShape, workspaceBytes } from './spectrum/workspace.ts';

/** Copies of states that wait for their spectra take at most this much, and spectra's scratch at most that. */
const MOST_STATES_BYTES = 256 * 2 ** 20;
const MOST_SCRATCH_BYTES = 512 * 2 ** 20;
/** Real and shuffled. */
const SEQUENCES = 2;
/** Jacobi sweeps that a hidden state usually takes: of the triangular factor, and after the projection. */
const USUAL_SWEEPS = [11, 1] as const;
/**
 * What a process holds besides GPU buffers, as measured (bench/memory.md): Node, Dawn and the figures' packages, file
 * chunks on their way, and their copies that the driver keeps until it has them.
 */
const PROCESS_BYTES = 640 * 2 ** 20;

export interface PlanInput {
  readonly model: Pick<ModelDescription, 'config' | 'sizes' | 'activationBytes' | 'work'>;
  /** T, the length of each of the two sequences. */
  readonly tokens: number;
  /** Bytes; Infinity for no bound. */
  readonly memoryLimit: number;
  /** The CPU plays the GPU: its buffers are the process's memory. */
  readonly software: boolean;
  /** Named activations that are measured, too. */
  readonly hooks?: MeasuredHooks | undefined;
  /** Where that is settled already; else it follows from the sizes and the limit. */
  readonly isResident?: boolean;
}

/** What `laminar profile` will need. Memory and reads in bytes, each an upper bound. */
export interface ProfilePlan {
  readonly weights: WeightPlan;
  readonly activations: number;
  /** Copies of states that wait for their spectra: how many states at once, and their bytes. */
  readonly statesAtOnce: number;
  readonly states: number;
  /** Copies of named activations that wait for their spectra: how many at once, and their bytes; 0 where there are none. */
  readonly hooksAtOnce: number;
  readonly hooks: number;
  /** Scratch that the spectra may take. */
  readonly scratch: number;
  /** All GPU buffers at once. */
  readonly gpu: number;
  /** The least --gpu-memory with which this run can finish. */
  readonly leastGpu: number;
  /** The whole process; with a software adapter, the GPU's buffers too. */
  readonly host: number;
  /** From the checkpoint's files. */
  readonly reads: number;
  /** Floating-point operations. */
  readonly operations: { readonly forward: number; readonly spectrum: number };
  /** Operations and bytes of each kernel. */
  readonly work: { readonly forward: WorkByKernel; readonly spectrum: WorkByKernel };
}

/**
 * Shares a bound on GPU memory out among weights, activations, states and the spectra's scratch: weights stay if there
 * is room for all of them, else two blocks of them pass through; what is left goes to states and scratch, in batches as
 * large as fit. A run follows this plan, and `profile --plan` prints it.
 */
export function planProfile(input: PlanInput): ProfilePlan {
  const { model, tokens, memoryLimit, software } = input;
  const { config, sizes } = model;
  const states = config.layers + 1;
  const shape = spectrumShape(tokens, config.width);
  const stateBytes = SEQUENCES * 4 * tokens * config.width;
  const matrixScratch = workspaceBytes(shape, 1);
  const activations = model.activationBytes(SEQUENCES, tokens, input.hooks?.planned);
  const measured = input.hooks?.measured ?? [];
  const hookShapes = measured.map((spec) => spectrumShape(tokens, matrixColumns(spec)));
  const hookBytes = Math.max(0, ...measured.map((spec) => SEQUENCES * 4 * tokens * matrixColumns(spec)));
  const leastScratch = Math.max(matrixScratch, ...hookShapes.map((hook) => workspaceBytes(hook, 1)));
  const planned = planWeights(sizes, activations + stateBytes + hookBytes + leastScratch, memoryLimit);
  const isResident = input.isResident ?? planned.isResident;
  const weights = isResident === planned.isResident ? planned : { ...planned, isResident, bytes: sizes.all };

  const room = Math.max(0, memoryLimit - weights.bytes - activations);
  const statesBudget = Math.min(MOST_STATES_BYTES, room / 3);
  const statesAtOnce = Math.min(states, Math.max(1, Math.floor(statesBudget / stateBytes)));
  const statesBytes = statesAtOnce * stateBytes;
  const hooksBudget = Math.min(MOST_STATES_BYTES, room / 6);
  const hooksAtOnce = Math.min(
    measured.length,
    Math.max(1, Math.floor(hooksBudget / Math.max(1, hookBytes))),
  );
  const hooksBytes = hooksAtOnce * hookBytes;
  const scratchBudget = Math.max(leastScratch, Math.min(MOST_SCRATCH_BYTES, room - statesBytes - hooksBytes));
  const usefulScratch = [
    workspaceBytes(shape, SEQUENCES * statesAtOnce),
    ...hookShapes.map((hook) => workspaceBytes(hook, SEQUENCES * hooksAtOnce)),
  ];
  const scratch = Math.min(scratchBudget, Math.max(...usefulScratch));

  const gpu = weights.bytes + activations + statesBytes + hooksBytes + scratch;
  const leastGpu = weights.least + activations + stateBytes + hookBytes + leastScratch;
  const bounded = Math.max(leastGpu, Math.min(gpu, memoryLimit));
  const work = {
    forward: model.work(SEQUENCES, tokens),
    spectrum: spectrumWork(tokens, config.width, SEQUENCES * states),
  };
  return {
    weights,
    activations,
    statesAtOnce,
    states: statesBytes,
    hooksAtOnce,
    hooks: hooksBytes,
    scratch,
    gpu: bounded,
    leastGpu: Math.min(leastGpu, gpu),
    host: PROCESS_BYTES + (software ? bounded : 0),
    reads: sizes.read + SEQUENCES * tokens * sizes.embeddingRow,
    operations: { forward: operationsOf(work.forward), spectrum: operationsOf(work.spectrum) },
    work,
  };
}

/**
 * What each kernel of the spectra of matrices [rows, columns] does, n vectors of length m each: centring, Householder QR
 * twice (2n²(m − n/3), and padding), the usual number of Jacobi sweeps on n × n after each, and the projection between
 * them, three products for one. Kernels that sort and measure are left out.
 */
export function spectrumWork(rows: number, columns: number, matrices: number): WorkByKernel {
  const { vectors, padded, length4 } = spectrumShape(rows, columns);
  const length = 4 * length4;
  const [first, last] = USUAL_SWEEPS;
  const rounds = (padded / BLOCK - 1) * (first + last);
  let panelOperations = 0;
  let panelBytes = 0;
  let updateOperations = 0;
  let updateBytes = 0;
  for (let from = 0; from < vectors; from += BLOCK) {
    const rest = Math.max(0, vectors - from - BLOCK);
    const below = length - from;
    // Twice in all; a panel's columns are read, and written with its reflectors; the rest is read and written.
    panelOperations += 2 * 4 * below * BLOCK ** 2;
    panelBytes += 2 * 4 * 3 * below * BLOCK;
    updateOperations += 2 * 4 * below * BLOCK * rest;
    updateBytes += rest === 0 ? 0 : 2 * 4 * below * (2 * rest + BLOCK);
  }
  const elements = rows * columns;
  const each = {
    // Two floats a value, each added up and subtracted without loss.
    'column-means': [16 * elements, 4 * elements],
    'centre-columns': [16 * elements, 8 * elements],
    'gather-vectors': [0, 8 * padded * length],
    'qr-panel': [panelOperations, panelBytes],
    'qr-update': [updateOperations, updateBytes],
    'transpose-triangle': [0, 2 * 8 * padded ** 2],
    'jacobi-round': [rounds * roundWork(padded), rounds * 8 * padded ** 2],
    'project-vectors': [
      6 * padded * vectors * length,
      4 * (vectors * length + padded * vectors + padded * length),
    ],
  } as const;
  return Object.fromEntries(
    Object.entries(each).map(([kernel, [operations, bytes]]) => [
      kernel,
      { operations: matrices * operations, bytes: matrices * bytes },
    ]),
  );
}
