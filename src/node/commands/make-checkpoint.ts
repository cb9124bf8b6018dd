import type { Command } from 'commander';
import { formatBytes } from '../../analysis/quantities.ts';
import { InputError } from '../../engine/errors.ts';
import { listNames } from '../../engine/message.ts';
import { makeCheckpoint } from '../make-checkpoint.ts';
import { nonEmpty, wholeNumber } from '../options.ts';
import { publishedNames } from '../published-shapes.ts';
import type { WeightDtype } from '../published-shapes.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

interface MakeCheckpointFlags {
  readonly like: string;
  readonly out: string;
  readonly layers?: number;
  readonly dtype?: WeightDtype;
  readonly seed?: number;
  readonly shards?: number;
}

/** `laminar make-checkpoint`: random weights in a published model's exact shape, to try sizes without a download. */
export function addMakeCheckpointCommand(program: Command, { terminal, signal }: CommandContext): void {
  program
    .command('make-checkpoint')
    .description("write a random checkpoint of a published model's exact shape")
    .requiredOption('--like <model>', `one of ${publishedNames.join(', ')}`)
    .requiredOption('--out <folder>', 'the folder to write', nonEmpty('--out'))
    .option('--layers <n>', 'number of blocks (default: as published)', wholeNumber('--layers', 1))
    .option('--dtype <type>', 'F32, F16 or BF16 (default: as published)', parseDtype)
    .option('--seed <n>', 'seed of the weights (default: 28)', wholeNumber('--seed', 0))
    .option('--shards <n>', 'number of files for the tensors (default: 1)', wholeNumber('--shards', 1))
    .action(async (flags: MakeCheckpointFlags) => {
      const onProgress = terminal.stage('write', 'bytes');
      const made = await makeCheckpoint({ ...flags, signal, onProgress });
      terminal.endStages();
      printText(
        `${made.folder}: ${made.parameters} parameters, ${formatBytes(made.bytes)} in ${listNames(made.files)}\n`,
      );
    });
}

function parseDtype(text: string): WeightDtype {
  if (text === 'F32' || text === 'F16' || text === 'BF16') return text;
  throw new InputError(`--dtype ${text} is not a dtype of a checkpoint; give F32, F16 or BF16`);
}
