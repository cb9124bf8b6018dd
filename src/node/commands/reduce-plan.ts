import { jsonText } from '../../analysis/json.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { ReductionPlan } from '../../analysis/reduction/plan.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import { formatTable } from '../table.ts';

/** What a plan is for. */
export interface ReductionSubject {
  readonly id: string;
  readonly tokens: number;
  readonly sequences: number;
  readonly cuts: number;
  readonly adapter: AdapterReport;
  /** Bytes, Infinity for no bound. */
  readonly memoryLimit: number;
}

export function reductionPlanJson(plan: ReductionPlan, subject: ReductionSubject): string {
  const { id, tokens, sequences, cuts, adapter, memoryLimit } = subject;
  return jsonText(
    {
      model: id,
      tokens,
      sequences,
      cuts,
      passes: plan.passes.map(({ start, count }) => ({ start, cuts: count })),
      adapter,
      gpu_memory_limit: Number.isFinite(memoryLimit) ? memoryLimit : null,
      fits: plan.minGpu <= memoryLimit,
      gpu_bytes: {
        total: plan.gpu,
        least: plan.minGpu,
        weights: plan.weights.bytes,
        weights_resident: plan.weights.isResident,
        activations: plan.activations,
        cuts: plan.cuts,
      },
      read_bytes: plan.reads,
      operations: { forward: plan.operations },
    },
    'plan',
  );
}

export function describeReductionPlan(plan: ReductionPlan, subject: ReductionSubject): string {
  const { id, tokens, sequences, cuts, adapter, memoryLimit } = subject;
  const { passes, weights } = plan;
  const bound = Number.isFinite(memoryLimit)
    ? `a bound of ${formatBytes(memoryLimit)} of GPU memory`
    : 'no bound';
  const together = plan.slots - sequences;
  const rows = [
    [
      'passes',
      String(passes.length),
      passes.length === 1
        ? 'all cuts at once'
        : `at most ${together} ${together === 1 ? 'cut' : 'cuts'} each, the last from layer ${passes.at(-1)!.start}`,
    ],
    ['weights', formatBytes(weights.bytes), weights.isResident ? 'stay' : 'stream, two blocks at once'],
    ['activations', formatBytes(plan.activations), `${plan.slots} x ${tokens} tokens`],
    ['cuts', formatBytes(plan.cuts), 'singular vectors, and scratch'],
    ['GPU buffers', formatBytes(plan.gpu), `at least ${formatBytes(plan.minGpu)}`],
    ['reads', formatBytes(plan.reads), 'from the checkpoint'],
    ['forward', plan.operations.toExponential(2).replace('e+', 'e'), 'floating-point operations'],
  ];
  const advice =
    plan.minGpu <= memoryLimit
      ? ''
      : `\nThis does not fit: give --gpu-memory ${Math.ceil(plan.minGpu)} or more, or take fewer tokens.\n`;
  return `${id}, ${tokens} tokens, ${cuts} cuts, on ${adapter.description} with ${bound}; at most:\n\n${formatTable(['', '', ''], rows)}${advice}`;
}
