import { join } from 'node:path';
import type { Command } from 'commander';
import { counted, fixed, formatPercent } from '../../analysis/quantities.ts';
import { readComponents } from '../../analysis/reduction/components.ts';
import type { Components } from '../../analysis/reduction/components.ts';
import { readCutLayers } from '../../analysis/reduction/cut-layers.ts';
import { planReduction } from '../../analysis/reduction/plan.ts';
import { planCuts, reduceSequences } from '../../analysis/reduction/reduce-states.ts';
import { buildReductionReport, reductionJson } from '../../analysis/reduction/report.ts';
import type { CutReport, ReducedSequence, ReductionReport } from '../../analysis/reduction/report.ts';
import { profileDefaults } from '../../analysis/report.ts';
import { shuffleTokens } from '../../analysis/shuffle.ts';
import { describeModel } from '../../engine/description.ts';
import type { ModelDescription } from '../../engine/description.ts';
import { Model } from '../../engine/model.ts';
import { checkSequences } from '../../engine/sequences.ts';
import { defaultModel } from '../bundled.ts';
import { FileSet } from '../file-set.ts';
import { folderFiles } from '../files.ts';
import { checkApart } from '../inputs-apart.ts';
import { findModel } from '../model-source.ts';
import type { ModelSource } from '../model-source.ts';
import { nonEmpty, wholeNumber } from '../options.ts';
import { claimReductionFolder, reductionFileNames, writeReductionFiles } from '../reduction-files.ts';
import { baseName, folderNamed, USUAL_REVISION } from '../folder-name.ts';
import { formatTable } from '../table.ts';
import { printText } from '../terminal.ts';
import { addTokenOptions } from '../token-options.ts';
import { readTokens, textListeners } from '../token-source.ts';
import type { TokenFlags } from '../token-source.ts';
import type { CommandContext } from './context.ts';
import { describeReductionPlan, reductionPlanJson } from './reduce-plan.ts';

interface ReduceFlags extends TokenFlags {
  readonly layer: string;
  readonly components: readonly Components[];
  readonly shuffled?: boolean;
  readonly seed: number;
  readonly revision?: string;
  readonly out?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly plan?: boolean;
}

const DEFAULT_LAYERS = 'all';

/** `laminar reduce`: what cutting a layer's states to their first components does to all that follows. */
export function addReduceCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('reduce')
    .description(
      'cut the states of a layer to their first components, and see what that does to all that follows',
    )
    .argument('[model]', 'a folder, a hub id such as gpt2-xl, or a bundled model', defaultModel())
    .option(
      '--layer <list>',
      "states to cut, each in a run of its own: numbers and ranges such as 0,3-5 (0 is the embedding, the last is what the final norm made), residual_final for the last block's output before that norm, or all",
      nonEmpty('--layer'),
      DEFAULT_LAYERS,
    )
    .option(
      '--components <list>',
      'how many to keep, or as many as hold over a percent of the variance, such as 1,2,4,8,95%',
      (text) => text.split(',').map(readComponents),
      ['95%'] as readonly Components[],
    );
  addTokenOptions(command)
    .option('--shuffled', 'cut the shuffled text, too')
    .option(
      '--seed <n>',
      'seed of the permutation that shuffles',
      wholeNumber('--seed', 0),
      profileDefaults.seed,
    )
    .option('--revision <name>', 'branch, tag or commit on the hub')
    .option(
      '--out <folder>',
      'where the files go (default: out/MODEL-reduce, and what differs from the defaults)',
      nonEmpty('--out'),
    )
    .option('--force', 'overwrite the report of another run')
    .option('--json', 'print report.json on stdout')
    .option('--plan', 'only say what the run would need: passes, memory, bytes read, operations')
    .action(async (model: string, flags: ReduceFlags) => {
      await reduce(model, flags, context);
    });
}

async function reduce(reference: string, flags: ReduceFlags, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const started = performance.now();
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const files = folderFiles(source.folder);
  const onNotice = (notice: string) => terminal.notice(notice);
  const description = await describeModel(files, { onNotice, signal });
  try {
    const { config } = description;
    const request = {
      layers: readCutLayers(flags.layer, config.layers),
      components: [...new Set(flags.components)],
    };
    const given = await readTokens(flags, files, config, signal, textListeners(terminal));
    const shuffled = () => given.shuffled ?? shuffleTokens(given.real, flags.seed);
    const sequences = [
      { name: 'real' as const, ids: given.real },
      ...(flags.shuffled ? [{ name: 'shuffled' as const, ids: shuffled() }] : []),
    ];
    const ids = sequences.map((sequence) => sequence.ids);
    checkSequences(config, ids);
    if (flags.plan) return await printPlan(source, description, request, ids, flags, context);

    const folder = flags.out ?? defaultFolder(source.id, flags);
    await using output = await FileSet.open(folder, reductionFileNames, { onNotice });
    await checkApart(
      reductionFileNames.map((name) => join(folder, name)),
      { modelFolder: source.folder, weights: description.weightFiles, others: [flags.text, flags.ids] },
    );
    const model = { id: source.id, revision: source.revision };
    const { text } = given;
    const byName = Object.fromEntries(sequences.map((sequence) => [sequence.name, sequence.ids]));
    const reduction = { layers: request.layers, components: request.components };
    if (!flags.force) {
      await claimReductionFolder(folder, { model, text, seed: flags.seed, reduction, ids: byName });
    }
    using gpu = await context.openGpu(description.sizes.all);
    const plan = planOf(description, request, ids, gpu.memoryLimit, gpu.device.limits.maxBufferSize);
    const maxTokens = plan.slots * ids[0]!.length;
    const loadStarted = performance.now();
    using loaded = await Model.load(gpu, description, {
      signal,
      maxTokens,
      reserve: plan.activations + plan.cuts - description.activationBytes(1, maxTokens),
      onProgress: terminal.stage('load', 'bytes'),
    });
    const reduceStarted = performance.now();
    const onProgress = terminal.stage('reduce');
    const reductions = await reduceSequences(loaded, ids, request, { signal, onProgress, onNotice });
    const ended = performance.now();
    const timings = {
      load: reduceStarted - loadStarted,
      reduce: ended - reduceStarted,
      total: ended - started,
    };
    const { adapter } = gpu;
    const facts = { description, ...model, adapter, text, seed: flags.seed, request, sequences };
    const report = buildReductionReport({ ...facts, reductions, timings });
    await writeReductionFiles(output, report, { signal, onProgress: terminal.stage('figures') });
    terminal.endStages();
    if (flags.json) process.stdout.write(reductionJson(report));
    else printText(describeReduction(report, folder));
  } finally {
    await description.close();
  }
}

function planOf(
  model: ModelDescription,
  request: Parameters<typeof planCuts>[0],
  ids: readonly Int32Array[],
  memoryLimit: number,
  maxBufferSize: number,
) {
  const branches = planCuts(request, model.config.layers, ids.length);
  const tokens = ids[0]!.length;
  return planReduction({ model, tokens, sequences: ids.length, branches, memoryLimit, maxBufferSize });
}

async function printPlan(
  { id }: ModelSource,
  description: ModelDescription,
  request: Parameters<typeof planCuts>[0],
  ids: readonly Int32Array[],
  { json = false }: ReduceFlags,
  context: CommandContext,
): Promise<void> {
  using gpu = await context.openGpu(description.sizes.all);
  const { memoryLimit, adapter } = gpu;
  const plan = planOf(description, request, ids, memoryLimit, gpu.device.limits.maxBufferSize);
  const cuts = plan.passes.reduce((sum, { count }) => sum + count, 0);
  const subject = { id, tokens: ids[0]!.length, sequences: ids.length, cuts, adapter, memoryLimit };
  context.terminal.endStages();
  if (json) process.stdout.write(reductionPlanJson(plan, subject));
  else printText(describeReductionPlan(plan, subject));
}

function defaultFolder(modelId: string, flags: ReduceFlags): string {
  const { layer, components, text, ids, tokens, start, seed, revision, shuffled } = flags;
  return folderNamed(`${modelId}-reduce`, [
    ['revision', revision === USUAL_REVISION ? undefined : revision],
    ['text', text && baseName(text)],
    ['ids', ids && baseName(ids)],
    ['start', start],
    ['tokens', tokens],
    ['seed', seed === profileDefaults.seed ? undefined : seed],
    ['layer', layer === DEFAULT_LAYERS ? undefined : layer],
    ['components', components.join() === '95%' ? undefined : components.join('-').replaceAll('%', 'pct')],
    ['with', shuffled ? 'shuffled' : undefined],
  ]);
}

/** A table of each sequence with a row for each cut, and where the files are. */
function describeReduction(report: ReductionReport, folder: string): string {
  const { model, text, timings_ms: timings, adapter } = report;
  const { length } = report.sequences.real.ids;
  const from = text
    ? `tokens ${text.start} to ${text.start + length - 1} of ${text.source}`
    : `${length} token ${length === 1 ? 'id' : 'ids'}`;
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  const tables = Object.entries(report.sequences).map(([name, sequence]: [string, ReducedSequence]) => {
    const { loss, cuts } = sequence;
    const without = loss
      ? `loss ${fixed(loss.mean, 4)} without a cut`
      : sequence.ids.length === 1
        ? 'one token, and so no loss'
        : 'no logits';
    return `${name} text, ${without}:\n\n${tableOf(cuts)}\n`;
  });
  return [
    `${model.id} (${model.architecture}, ${counted(model.layers, 'layer')} of width ${model.width}), ${from}\n`,
    'Each layer is cut to its first r components, and its mean stays; then the rest of the model runs.\n\n',
    ...tables,
    `load ${seconds(timings.load)}, reduce ${seconds(timings.reduce)} on ${adapter.description}\n`,
    `report, tables and figures: ${folder}\n`,
  ].join('');
}

function tableOf(cuts: readonly CutReport[]): string {
  const header = [
    'layer',
    'asked',
    'r',
    '% of variance',
    'loss',
    'change',
    'mean',
    'max',
    'max Δ',
    'kept',
    'last',
  ];
  const rows = cuts.map(
    ({ layer, asked, components, explained_percent: explained, loss, logits, states }) => [
      String(layer),
      String(asked),
      String(components),
      formatPercent(explained),
      fixed(loss && loss.mean, 4),
      fixed(loss && loss.change, 4),
      fixed(logits && logits.kl.mean, 4),
      fixed(logits && logits.kl.max, 3),
      fixed(logits && logits.log_softmax_change.max, 3),
      logits ? `${formatPercent(100 * logits.argmax_agreement)}%` : '–',
      fixed(states.at(-1)!.relative_change, 4),
    ],
  );
  return formatTable(header, rows, [
    ['', 4],
    ['loss, nats', 2],
    ['KL, nats', 2],
    ['log-softmax', 1],
    ['argmax', 1],
    ['state', 1],
  ]);
}
