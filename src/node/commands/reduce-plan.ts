import { processBytes } from '../../analysis/plan.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { ReductionPlan } from '../../analysis/reduction/plan.ts';
import {
  buffersRow,
  operationsRow,
  planJson,
  planTable,
  processRow,
  readsRow,
  weightsRow,
} from './plan-output.ts';
import type { PlanSubject } from './plan-output.ts';

/** The run that a plan is for. */
export interface ReductionSubject extends PlanSubject {
  readonly sequences: number;
  readonly cuts: number;
}

export function reductionPlanJson(plan: ReductionPlan, subject: ReductionSubject): string {
  const { sequences, cuts } = subject;
  const passes = plan.passes.map(({ start, count }) => ({ start, cuts: count }));
  return planJson(subject, plan, {
    counts: { sequences, cuts, passes },
    gpuBytes: { activations: plan.activations, cuts: plan.cuts },
    others: {
      host_bytes: hostBytes(plan, subject),
      read_bytes: plan.reads,
      operations: plan.operations,
    },
  });
}

export function describeReductionPlan(plan: ReductionPlan, subject: ReductionSubject): string {
  const { tokens, sequences, cuts } = subject;
  const { passes } = plan;
  const together = plan.slots - sequences;
  const { forward, cuts: ofCuts } = plan.operations;
  const [name, count, unit] = operationsRow('cuts', ofCuts);
  return planTable(subject, plan, `${tokens} tokens, ${cuts} cuts`, [
    [
      'passes',
      String(passes.length),
      passes.length === 1
        ? 'all cuts at once'
        : `at most ${together} ${together === 1 ? 'cut' : 'cuts'} each, the last from layer ${passes.at(-1)!.start}`,
    ],
    weightsRow(plan),
    ['activations', formatBytes(plan.activations), `${plan.slots} x ${tokens} tokens`],
    ['cuts', formatBytes(plan.cuts), 'singular vectors, and scratch'],
    buffersRow(plan),
    processRow(hostBytes(plan, subject), subject.adapter),
    readsRow(plan.reads),
    operationsRow('forward', forward),
    [name, count, `${unit}, about`],
  ]);
}

function hostBytes(plan: ReductionPlan, { adapter, memoryLimit }: ReductionSubject): number {
  return processBytes(Math.max(plan.minGpu, Math.min(plan.gpu, memoryLimit)), adapter.software) + plan.saved;
}
