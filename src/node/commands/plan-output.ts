import { jsonText } from '../../analysis/json.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import type { WeightPlan } from '../../engine/memory.ts';
import { formatTable } from '../table.ts';

/** The run that a plan is for. */
export interface PlanSubject {
  readonly id: string;
  /** T, of each sequence. */
  readonly tokens: number;
  readonly adapter: AdapterReport;
  /** Bytes, Infinity for no bound. */
  readonly memoryLimit: number;
}

/** What every plan says of GPU memory, in bytes. */
export interface PlannedMemory {
  readonly weights: WeightPlan;
  readonly gpu: number;
  /** The smallest --gpu-memory with which the run can finish. */
  readonly minGpu: number;
}

/** What one command's plan says besides. */
export interface PlanFields {
  /** How much is run, after the number of tokens. */
  readonly counts?: Readonly<Record<string, unknown>>;
  /** Other parts of the GPU memory, in bytes. */
  readonly gpuBytes: Readonly<Record<string, number>>;
  /** Everything else; operations are in it. */
  readonly others: Readonly<Record<string, unknown>>;
}

/** A plan as `--plan --json` prints it. */
export function planJson(
  { id, tokens, adapter, memoryLimit }: PlanSubject,
  { weights, gpu, minGpu }: PlannedMemory,
  { counts, gpuBytes, others }: PlanFields,
): string {
  const answer = {
    model: id,
    tokens,
    ...counts,
    adapter,
    gpu_memory_limit: Number.isFinite(memoryLimit) ? memoryLimit : null,
    fits: minGpu <= memoryLimit,
    gpu_bytes: {
      total: gpu,
      least: minGpu,
      weights: weights.bytes,
      weights_resident: weights.isResident,
      ...gpuBytes,
    },
    ...others,
  };
  return jsonText(answer, 'plan');
}

/**
 * A plan as a person reads it: what is run, where, a table, and what to do if it does not fit.
 * @param what is run, such as `64 tokens`
 * @param rows of what, how much, and a remark
 */
export function planTable(
  { id, adapter, memoryLimit }: PlanSubject,
  { minGpu }: PlannedMemory,
  what: string,
  rows: readonly (readonly [string, string, string])[],
): string {
  const bound = Number.isFinite(memoryLimit)
    ? `a bound of ${formatBytes(memoryLimit)} of GPU memory`
    : 'no bound';
  const advice =
    minGpu <= memoryLimit
      ? ''
      : `\nThis does not fit: give --gpu-memory ${Math.ceil(minGpu)} or more, or take fewer tokens.\n`;
  const table = formatTable(
    ['', '', ''],
    rows.map((row) => [...row]),
  );
  return `${id}, ${what}, on ${adapter.description} with ${bound}; at most:\n\n${table}${advice}`;
}

/** The rows that every plan has. */
export function weightsRow({ weights }: PlannedMemory): readonly [string, string, string] {
  const { bytes, isResident } = weights;
  return ['weights', formatBytes(bytes), isResident ? 'stay' : 'stream, two blocks at once'];
}

export function buffersRow({ gpu, minGpu }: PlannedMemory): readonly [string, string, string] {
  return ['GPU buffers', formatBytes(gpu), `at least ${formatBytes(minGpu)}`];
}

/** @param bytes of the host's memory, with the GPU's buffers on a software adapter */
export function processRow(bytes: number, { software }: AdapterReport): readonly [string, string, string] {
  return ['process', formatBytes(bytes), software ? 'with the GPU buffers' : 'without the GPU buffers'];
}

export function readsRow(bytes: number): readonly [string, string, string] {
  return ['reads', formatBytes(bytes), 'from the checkpoint'];
}

/** @param count operations; the table shows three figures, such as `3.55e11` */
export function operationsRow(name: string, count: number): readonly [string, string, string] {
  return [name, count.toExponential(2).replace('e+', 'e'), 'floating-point operations'];
}
