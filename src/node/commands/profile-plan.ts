import { jsonText } from '../../analysis/json.ts';
import { planProfile } from '../../analysis/plan.ts';
import type { ProfilePlan } from '../../analysis/plan.ts';
import { countSequences } from '../../analysis/profile-sequences.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import { checkDimensions } from '../../analysis/views.ts';
import { describeModel } from '../../engine/description.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import { folderFiles } from '../files.ts';
import { findModel } from '../model-source.ts';
import { samplingOf } from '../sampling-options.ts';
import type { SamplingFlags } from '../sampling-options.ts';
import { formatTable } from '../table.ts';
import { readTokens, textListeners } from '../token-source.ts';
import type { TokenFlags } from '../token-source.ts';
import { viewRequest } from '../view-options.ts';
import type { ViewFlags } from '../view-options.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

interface PlanFlags extends TokenFlags, ViewFlags, SamplingFlags {
  readonly at?: readonly string[];
  readonly revision?: string;
  readonly json?: boolean;
}

/** What a plan is for. */
interface PlanSubject {
  readonly id: string;
  readonly tokens: number;
  readonly sequences: number;
  readonly adapter: AdapterReport;
  /** Bytes, Infinity for no bound. */
  readonly memoryLimit: number;
}

/** `laminar profile --plan`: what a run will need, from the checkpoint's headers and the adapter; no weight is read. */
export async function printPlan(reference: string, flags: PlanFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const files = folderFiles(source.folder);
  const model = await describeModel(files, { onNotice: (notice) => terminal.notice(notice) });
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
    const subject = { id: source.id, tokens, sequences, adapter, memoryLimit };
    printText(flags.json ? toJson(plan, subject) : toTable(plan, subject));
  } finally {
    await model.close();
  }
}

function toJson(plan: ProfilePlan, { id, tokens, sequences, adapter, memoryLimit }: PlanSubject): string {
  const { weights, operations } = plan;
  const answer = {
    model: id,
    tokens,
    sequences,
    sequences_at_once: plan.sequencesAtOnce,
    batches: plan.groups.length,
    adapter,
    gpu_memory_limit: Number.isFinite(memoryLimit) ? memoryLimit : null,
    fits: plan.minGpu <= memoryLimit,
    gpu_bytes: {
      total: plan.gpu,
      least: plan.minGpu,
      weights: weights.bytes,
      weights_resident: weights.isResident,
      activations: plan.activations + plan.captures,
      states: plan.states,
      states_at_once: plan.statesAtOnce,
      hooks: plan.hooks,
      spectrum: plan.scratch,
    },
    host_bytes: plan.host,
    read_bytes: plan.reads,
    operations,
  };
  return jsonText(answer, 'plan');
}

function toTable(plan: ProfilePlan, { id, tokens, sequences, adapter, memoryLimit }: PlanSubject): string {
  const { weights, operations, groups, sequencesAtOnce: atOnce } = plan;
  const bound = Number.isFinite(memoryLimit)
    ? `a bound of ${formatBytes(memoryLimit)} of GPU memory`
    : 'no bound';
  const rows = [
    ['weights', formatBytes(weights.bytes), weights.isResident ? 'stay' : 'stream, two blocks at once'],
    ...(groups.length > 1
      ? [['sequences', String(sequences), `${atOnce} at once, ${groups.length} batches`]]
      : []),
    ['activations', formatBytes(plan.activations + plan.captures), `${atOnce} x ${tokens} tokens`],
    ['states', formatBytes(plan.states), `${plan.statesAtOnce} at once`],
    ...(plan.hooks > 0
      ? [['named activations', formatBytes(plan.hooks), `${plan.hooksAtOnce} at once`]]
      : []),
    ['spectrum', formatBytes(plan.scratch), 'scratch'],
    ['GPU buffers', formatBytes(plan.gpu), `at least ${formatBytes(plan.minGpu)}`],
    [
      'process',
      formatBytes(plan.host),
      adapter.software ? 'with the GPU buffers' : 'without the GPU buffers',
    ],
    ['reads', formatBytes(plan.reads), 'from the checkpoint'],
    ['forward', formatOperations(operations.forward), 'floating-point operations'],
    ['spectrum', formatOperations(operations.spectrum), 'floating-point operations'],
    ['measures', formatOperations(operations.measures), 'floating-point operations, about'],
  ];
  const advice =
    plan.minGpu <= memoryLimit
      ? ''
      : `\nThis does not fit: give --gpu-memory ${Math.ceil(plan.minGpu)} or more, or take fewer tokens.\n`;
  return `${id}, ${tokens} tokens, on ${adapter.description} with ${bound}; at most:\n\n${formatTable(['', '', ''], rows)}${advice}`;
}

/** A count of operations with three figures: `3.55e11`. */
function formatOperations(count: number): string {
  return count.toExponential(2).replace('e+', 'e');
}
