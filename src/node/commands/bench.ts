import type { Command } from 'commander';
import { jsonText } from '../../analysis/json.ts';
import { readArchitecture } from '../../engine/architectures/registry.ts';
import { InputError } from '../../engine/errors.ts';
import { describeProfileBench } from '../bench/describe.ts';
import { benchProfile } from '../bench/profile-bench.ts';
import { withModel, withRandomModel } from '../bench/random-model.ts';
import type { ProfileBench } from '../bench/result.ts';
import { findModel } from '../model-source.ts';
import { wholeNumber } from '../options.ts';
import { publishedModel, publishedNames } from '../published-shapes.ts';
import type { CommandContext } from './context.ts';

interface BenchFlags {
  readonly like?: string;
  readonly layers?: number;
  readonly tokens?: number;
  readonly json?: boolean;
}

const DEFAULTS = { like: 'gpt2', layers: 2, tokens: 64 } as const;

/** `laminar bench`: how fast this adapter computes a profile, beside what it can do at best. */
export function addBenchCommand(program: Command, context: CommandContext): void {
  program
    .command('bench')
    .description('measure how fast this adapter profiles a model, beside what the adapter can do at best')
    .argument('[model]', 'a folder, a hub id or a bundled model (default: random weights of --like)')
    .option(
      '--like <model>',
      `random weights of a shape: one of ${publishedNames.join(', ')} (default: gpt2)`,
    )
    .option('--layers <n>', 'blocks of the random weights (default: 2)', wholeNumber('--layers', 1))
    .option('--tokens <n>', 'in each of the two sequences (default: 64)', wholeNumber('--tokens', 1))
    .option('--json', 'print JSON')
    .action(async (model: string | undefined, flags: BenchFlags) => {
      const result = await measureProfile(model, flags, context);
      context.terminal.endStages();
      process.stdout.write(flags.json ? jsonText(result, 'bench') : describeProfileBench(result));
    });
}

/** Of the model that is named, or else of random weights. */
async function measureProfile(
  model: string | undefined,
  flags: BenchFlags,
  context: CommandContext,
): Promise<ProfileBench> {
  const { terminal, signal } = context;
  const { like = DEFAULTS.like, layers = DEFAULTS.layers, tokens = DEFAULTS.tokens } = flags;
  if (model === undefined) {
    checkTokens(tokens, readArchitecture(publishedModel(like).config, like).config.context, like);
    terminal.notice('laminar: writing random weights');
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

/** @throws InputError where the model has no place for so many tokens */
function checkTokens(tokens: number, context: number, name: string): void {
  if (tokens <= context) return;
  throw new InputError(
    `--tokens ${tokens} is more than the context of ${name}, ${context} tokens; give --tokens ${context} or fewer`,
  );
}
