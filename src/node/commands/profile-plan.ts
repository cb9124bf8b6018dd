import { planProfile } from '../../analysis/plan.ts';
import type { ProfilePlan } from '../../analysis/plan.ts';
import { countSequences } from '../../analysis/profile-sequences.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import { checkDimensions } from '../../analysis/views.ts';
import { describeModel } from '../../engine/description.ts';
import { folderFiles } from '../files.ts';
import { findModel } from '../model-source.ts';
import { samplingOf } from '../sampling-options.ts';
import type { SamplingFlags } from '../sampling-options.ts';
import { readTokens, textListeners } from '../token-source.ts';
import type { TokenFlags } from '../token-source.ts';
import { viewRequest } from '../view-options.ts';
import type { ViewFlags } from '../view-options.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';
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

interface PlanFlags extends TokenFlags, ViewFlags, SamplingFlags {
  readonly at?: readonly string[];
  readonly revision?: string;
  readonly json?: boolean;
}

/** `laminar profile --plan`: what a run will need, from the checkpoint's headers and the adapter; no weight is read. */
export async function printPlan(reference: string, flags: PlanFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const files = folderFiles(source.folder);
  const model = await describeModel(files, { signal, onNotice: (notice) => terminal.notice(notice) });
  try {
    const listeners = textListeners(terminal);
    const tokens = (await readTokens(flags, files, model.config, signal, listeners)).real.length;
    using gpu = await context.openGpu(model.sizes.all);
    const { memoryLimit, adapter } = gpu;
    const sequences = countSequences(samplingOf(flags), tokens);
    const request = viewRequest(flags);
    if (request) checkDimensions(request.listedDimensions, model.config.width, source.id);
    const { software } = adapter;
    const plan = planProfile({ model, tokens, sequences, memoryLimit, software, request, at: flags.at });
    terminal.endStages();
    const subject = { id: source.id, tokens, adapter, memoryLimit };
    if (flags.json) process.stdout.write(toJson(plan, subject, sequences));
    else printText(toTable(plan, subject, sequences));
  } finally {
    await model.close();
  }
}

function toJson(plan: ProfilePlan, subject: PlanSubject, sequences: number): string {
  return planJson(subject, plan, {
    counts: { sequences, sequences_at_once: plan.sequencesAtOnce, batches: plan.groups.length },
    gpuBytes: {
      activations: plan.activations + plan.captures,
      states: plan.states,
      states_at_once: plan.statesAtOnce,
      hooks: plan.hooks,
      spectrum: plan.scratch,
    },
    others: { host_bytes: plan.host, read_bytes: plan.reads, operations: plan.operations },
  });
}

function toTable(plan: ProfilePlan, subject: PlanSubject, sequences: number): string {
  const { operations, groups, sequencesAtOnce: atOnce } = plan;
  const { tokens, adapter } = subject;
  const [name, count, unit] = operationsRow('measures', operations.measures);
  return planTable(subject, plan, `${tokens} tokens`, [
    weightsRow(plan),
    ...(groups.length > 1
      ? [['sequences', String(sequences), `${atOnce} at once, ${groups.length} batches`] as const]
      : []),
    ['activations', formatBytes(plan.activations + plan.captures), `${atOnce} x ${tokens} tokens`],
    ['states', formatBytes(plan.states), `${plan.statesAtOnce} at once`],
    ...(plan.hooks > 0
      ? [['named activations', formatBytes(plan.hooks), `${plan.hooksAtOnce} at once`] as const]
      : []),
    ['spectrum', formatBytes(plan.scratch), 'scratch'],
    buffersRow(plan),
    processRow(plan.host, adapter),
    readsRow(plan.reads),
    operationsRow('forward', operations.forward),
    operationsRow('spectrum', operations.spectrum),
    [name, count, `${unit}, about`],
  ]);
}
