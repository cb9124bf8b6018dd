import type { Command } from 'commander';
import { jsonText } from '../../analysis/json.ts';
import { readArchitecture } from '../../engine/architectures/registry.ts';
import { InputError } from '../../engine/errors.ts';
import { describeProfileBench } from '../bench/describe.ts';
import { benchGrowth, describeGrowthBench, growthNames, readGrowthNames } from '../bench/growth.ts';
import type { GrowthName } from '../bench/growth.ts';
import { growthFileNames, writeGrowthFiles } from '../bench/growth-files.ts';
import { benchProfile } from '../bench/profile-bench.ts';
import { withModel, withRandomModel } from '../bench/random-model.ts';
import type { ProfileBench } from '../bench/result.ts';
import { rememberFaster } from '../bench/remember.ts';
import { benchTune, describeTuneBench } from '../bench/tune.ts';
import { FileSet } from '../file-set.ts';
import { findModel } from '../model-source.ts';
import { nonEmpty, wholeNumber } from '../options.ts';
import { publishedModel, publishedNames } from '../published-shapes.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

interface BenchFlags {
  readonly like?: string;
  readonly layers?: number;
  readonly tokens?: number;
  /** True where it names no sizes. */
  readonly growth?: readonly GrowthName[] | true;
  readonly tune?: boolean;
  readonly remember?: boolean;
  readonly out?: string;
  readonly json?: boolean;
}

const DEFAULTS = { like: 'gpt2', layers: 2, tokens: 64 } as const;
const GROWTH_FOLDER = 'out/bench-growth';

/** `laminar bench`: how fast this adapter computes a profile, compared with its measured peak. */
export function addBenchCommand(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .description('measure how fast this adapter profiles a model, compared with its measured peak')
    .argument('[model]', 'a folder, a hub id or a bundled model (default: random weights of --like)')
    .option(
      '--like <model>',
      `random weights of a shape: one of ${publishedNames.join(', ')} (default: gpt2)`,
    )
    .option('--layers <n>', 'blocks of the random weights (default: 2)', wholeNumber('--layers', 1))
    .option('--tokens <n>', 'in each of the two sequences (default: 64)', wholeNumber('--tokens', 1))
    .option(
      '--growth [sizes]',
      `how time grows with ${growthNames.join(',')}, or with some of them; a table, a figure and JSON in --out`,
      readGrowthNames,
    )
    .option('--tune', 'time every variant of the kernels, and show which are chosen')
    .option('--remember', 'with --tune: from now on, take the options that were clearly faster')
    .option('--out <folder>', `where --growth writes (default: ${GROWTH_FOLDER})`, nonEmpty('--out'))
    .option('--json', 'print JSON')
    .action(async (model: string | undefined, flags: BenchFlags) => {
      checkFlags(model, flags);
      const { json, text } = await run(model, flags, context);
      context.terminal.endStages();
      printText(flags.json ? jsonText(json, 'bench') : text);
    });
}

/** What a measurement prints with --json, and without. */
interface Answer {
  readonly json: unknown;
  readonly text: string;
}

async function run(model: string | undefined, flags: BenchFlags, context: CommandContext): Promise<Answer> {
  if (flags.tune) {
    const json = await benchTune(context);
    const remembered = flags.remember ? `\n${await rememberFaster(json)}` : '';
    return { json, text: `${describeTuneBench(json)}${remembered}` };
  }
  if (flags.growth) {
    const folder = flags.out ?? GROWTH_FOLDER;
    await using files = await FileSet.open(folder, growthFileNames, {
      onNotice: (line) => {
        context.terminal.notice(line);
      },
    });
    const json = await benchGrowth(flags.growth === true ? growthNames : flags.growth, context);
    await writeGrowthFiles(files, json);
    return { json, text: `${describeGrowthBench(json)}\nThe figure and the numbers are in ${folder}\n` };
  }
  const json = await measureProfile(model, flags, context);
  return { json, text: describeProfileBench(json) };
}

/** @throws InputError for flags that do not go together, before any work */
function checkFlags(model: string | undefined, flags: BenchFlags): void {
  const { growth, tune, remember, like, layers, tokens, out } = flags;
  if (remember && !tune) throw new InputError('--remember is for what --tune finds; add --tune');
  if (growth !== undefined && tune)
    throw new InputError('--growth and --tune cannot be combined; give one of them');
  if (out !== undefined && growth === undefined) {
    throw new InputError(`--out ${out} is for --growth, which writes files; leave it out, or add --growth`);
  }
  if (growth === undefined && !tune) return;
  const given = Object.entries({ '': model, '--like ': like, '--layers ': layers, '--tokens ': tokens });
  for (const [flag, value] of given) {
    if (value === undefined) continue;
    throw new InputError(
      `${tune ? '--tune' : '--growth'} measures shapes of its own; leave ${flag}${value} out`,
    );
  }
}

/** Measures the model that is named, or else random weights. */
async function measureProfile(
  model: string | undefined,
  flags: BenchFlags,
  context: CommandContext,
): Promise<ProfileBench> {
  const { terminal, signal } = context;
  const { like = DEFAULTS.like, layers = DEFAULTS.layers, tokens = DEFAULTS.tokens } = flags;
  if (model === undefined) {
    checkTokens(tokens, readArchitecture(publishedModel(like).config, like).config.context, like);
    terminal.notice('writing random weights');
    return withRandomModel(
      { like, layers, signal, onProgress: terminal.stage('write', 'bytes') },
      (description) => benchProfile(description, `random weights like ${like}`, tokens, context),
    );
  }
  for (const [flag, value] of Object.entries({ like: flags.like, layers: flags.layers })) {
    if (value === undefined) continue;
    throw new InputError(`--${flag} ${value} is for random weights; leave it out, or ${model}`);
  }
  const source = await findModel(model, { revision: undefined, signal, terminal });
  return withModel(source.folder, async (description) => {
    checkTokens(tokens, description.config.context, source.id);
    return benchProfile(description, source.id, tokens, context);
  });
}

/** @throws InputError if the tokens do not fit the model's context */
function checkTokens(tokens: number, context: number, name: string): void {
  if (tokens <= context) return;
  throw new InputError(
    `--tokens ${tokens} is more than the context of ${name}, ${context} tokens; give --tokens ${context} or fewer`,
  );
}
