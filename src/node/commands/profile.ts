import { join } from 'node:path';
import type { Command } from 'commander';
import type { ProfileSpectra } from '../../analysis/figures.ts';
import { measuredHooks } from '../../analysis/measured-hooks.ts';
import { reportJson } from '../../analysis/output-files.ts';
import type { HookValues } from '../../analysis/profile.ts';
import { profileReport } from '../../analysis/profile-report.ts';
import { measuredReport } from '../../analysis/build-report.ts';
import { profileDefaults, sequenceNames } from '../../analysis/report.ts';
import type { Report } from '../../analysis/report.ts';
import { shuffleTokens } from '../../analysis/shuffle.ts';
import { readThreshold } from '../../analysis/threshold.ts';
import { checkDimensions } from '../../analysis/views.ts';
import { describeModel } from '../../engine/description.ts';
import { InputError, LaminarError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { loadTokenizer } from '../../engine/tokenizer.ts';
import type { Tokenizer } from '../../engine/tokenizer.ts';
import { withAnyLayer } from '../../engine/hooks.ts';
import { defaultModel } from '../bundled.ts';
import { FileSet } from '../file-set.ts';
import { defaultFolder } from '../folder-name.ts';
import type { ProfileFlags } from '../folder-name.ts';
import { folderFiles } from '../files.ts';
import { checkApart } from '../inputs-apart.ts';
import { findModel } from '../model-source.ts';
import type { ModelSource } from '../model-source.ts';
import { collected, nonEmpty, wholeNumber } from '../options.ts';
import { profileFileNames, writeProfileFiles } from '../profile-files.ts';
import { wideBandTable } from '../profile-bands.ts';
import { describeProfile, plotOf } from '../profile-summary.ts';
import { describeText, tokensPages } from '../profile-text.ts';
import { describeComponents } from '../profile-wide.ts';
import { claimFolder, folderFor } from '../run-folder.ts';
import type { RunIdentity } from '../run-folder.ts';
import { addSamplingOptions, samplingOf } from '../sampling-options.ts';
import { addTokenOptions } from '../token-options.ts';
import { readTokens, textListeners } from '../token-source.ts';
import { addViewOptions, viewRequest } from '../view-options.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';
import { printPlan } from './profile-plan.ts';

/** `laminar profile`: the effective dimension of each layer, for a text and for the same tokens shuffled. */
export function addProfileCommand(program: Command, context: CommandContext): void {
  const command = program
    .command('profile')
    .description('measure each layer of a model, for a text and for the same tokens shuffled')
    .argument('[model]', 'a folder, a hub id such as gpt2-xl, or a bundled model', defaultModel());
  addViewOptions(addSamplingOptions(addTokenOptions(command)), true)
    .option(
      '--seed <n>',
      'seed of the permutation that shuffles',
      wholeNumber('--seed', 0),
      profileDefaults.seed,
    )
    .option(
      '--threshold <percent>',
      'variance that the effective dimension exceeds',
      readThreshold,
      profileDefaults.threshold,
    )
    .option(
      '--at <names...>',
      "measure these activations too, such as 'blocks.*.hook_mlp_out'; * is any run of characters",
      collected(nonEmpty('--at')),
    )
    .option(
      '--layer <n>',
      'whose spectrum the figures draw, from 0 for the embedding (default: the middle one)',
      wholeNumber('--layer', 0),
    )
    .option('--revision <name>', 'branch, tag or commit on the hub')
    .option(
      '--out <folder>',
      'where the files go (default: out/MODEL, and what differs from the defaults)',
      nonEmpty('--out'),
    )
    .option('--force', 'overwrite the report of another run')
    .option('--json', 'print report.json on stdout')
    .option('--wide', 'print a second table: norms of tokens, and which tokens carry the first component')
    .option('--show-text', 'print the window as text, too, real and shuffled')
    .option('--plan', 'only say what the run would need: memory, bytes read, operations')
    .action(async (model: string, flags: ProfileFlags) => {
      if (flags.plan) return printPlan(model, flags, context);
      if (flags.showText && flags.json)
        throw new InputError('--show-text prints text, and --json a report alone; leave one out');
      const { report, folder, tokenizer } = await profileToFiles(model, flags, context);
      if (flags.json) return void process.stdout.write(reportJson(report));
      const textOf = tokenizer && ((id: number) => tokenizer.tokenText(id));
      const bands = report.bands ? wideBandTable(report) : '';
      const wide = flags.wide ? describeComponents(report, textOf) + bands : '';
      if (flags.showText && !tokenizer)
        context.terminal.notice(
          '--show-text: the model has no tokenizer that can be read, so there is no text',
        );
      const text = flags.showText && tokenizer ? describeText(report, tokenizer) : '';
      printText(`${describeProfile(report, folder, flags.layer)}${wide}${text}`);
      if (process.stdout.isTTY) process.stdout.write(`\n${plotOf(report)}`);
    });
}

/** A model's tokenizer; null if it has none that can be read, as --ids needs none. */
async function tokenizerOf(modelFolder: string): Promise<Tokenizer | null> {
  try {
    return await loadTokenizer(folderFiles(modelFolder));
  } catch (error) {
    if (error instanceof LaminarError) return null;
    throw error;
  }
}

/**
 * Profiles a model and writes its files.
 * @param gpu where to compute, the caller's; default one that is opened for this run
 * @returns the report, the folder that holds the files, and the model's tokenizer, if it has one
 */
export async function profileToFiles(
  reference: string,
  flags: ProfileFlags,
  context: CommandContext,
  gpu?: Gpu,
): Promise<{ report: Report; folder: string; tokenizer: Tokenizer | null }> {
  const { terminal, signal } = context;
  const source = await findModel(reference, { revision: flags.revision, signal, terminal });
  const claimed = flags.out ?? defaultFolder(source.id, flags);
  const onNotice = (line: string) => terminal.notice(line);
  await using claim = await FileSet.open(claimed, profileFileNames, { onNotice });
  const { report, spectra, hookValues, run } = await profileModel(source, claimed, flags, context, gpu);
  const folder = flags.force ? claimed : await folderFor(claimed, run, report);
  if (folder !== claimed)
    terminal.notice(
      `${claimed} holds another model's report under the same name; the files go to ${folder}, with --force they would overwrite it`,
    );
  await using other =
    folder === claimed ? undefined : await FileSet.open(folder, profileFileNames, { onNotice });
  const onProgress = terminal.stage('figures');
  const tokenizer = await tokenizerOf(source.folder);
  const pages = tokensPages(report, tokenizer);
  const { layer } = flags;
  await writeProfileFiles(other ?? claim, report, spectra, { signal, onProgress, hookValues, layer, pages });
  terminal.endStages();
  return { report, folder, tokenizer };
}

async function profileModel(
  source: ModelSource,
  folder: string,
  flags: ProfileFlags,
  context: CommandContext,
  lentGpu: Gpu | undefined,
): Promise<{
  report: Report;
  spectra: ProfileSpectra;
  hookValues: HookValues | undefined;
  run: RunIdentity;
}> {
  const { terminal, signal } = context;
  const { id, revision } = source;
  const { seed, threshold, at, force = false } = flags;
  const started = performance.now();
  const files = folderFiles(source.folder);
  const onNotice = (notice: string) => terminal.notice(notice);
  const description = await describeModel(files, { onNotice, signal });
  try {
    const { config } = description;
    if (flags.layer !== undefined && flags.layer > config.layers)
      throw new InputError(`--layer ${flags.layer} does not exist; ${id} has 0 to ${config.layers}`);
    await checkApart(
      profileFileNames.map((name) => join(folder, name)),
      {
        modelFolder: source.folder,
        weights: description.weightFiles,
        others: [flags.text, flags.ids],
      },
    );
    const { text, ...tokens } = await readTokens(flags, files, config, signal, textListeners(terminal));
    const { real, shuffled = shuffleTokens(real, seed) } = tokens;
    const ids = { real, shuffled };
    const sampling = samplingOf(flags);
    const request = viewRequest(flags);
    if (request) checkDimensions(request.listedDimensions, config.width, id);
    const measured = request && measuredReport(request);
    const batch = { sequences: sequenceNames.length, tokens: real.length };
    const measuredAt = at ? measuredHooks(description, at, batch).measured : [];
    const hooks = [...new Set(measuredAt.map(({ name }) => withAnyLayer(name)))];
    const run = { id, revision, config, text, ids, seed, threshold, measured, sampling, hooks };
    if (!force) await claimFolder(folder, run);
    using ownGpu = lentGpu ? undefined : await context.openGpu(description.sizes.all);
    const gpu = lentGpu ?? ownGpu!;
    const profile = await profileReport(
      gpu,
      description,
      { id, revision, tokens, text, seed, started },
      {
        threshold,
        request,
        at,
        sampling,
        signal,
        onLoad: terminal.stage('load', 'bytes'),
        onForward: terminal.stage('forward'),
        onSpectrum: terminal.stage('spectrum'),
        onNotice,
      },
    );
    return { ...profile, run };
  } finally {
    await description.close();
  }
}
