import { Command } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { addBenchCommand } from './commands/bench.ts';
import { addCaptureCommand } from './commands/capture.ts';
import { addCompareCommand } from './commands/compare.ts';
import { addCompletionCommand } from './commands/completion.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addFetchCommand } from './commands/fetch.ts';
import { addMakeCheckpointCommand } from './commands/make-checkpoint.ts';
import { addProfileCommand } from './commands/profile.ts';
import { addReduceCommand } from './commands/reduce.ts';
import { addSpectrumCommand } from './commands/spectrum.ts';
import type { CommandContext } from './commands/context.ts';
import { gpuMemoryDefault } from './machine-memory.ts';
import { byteCount } from './options.ts';

const commands = [
  addProfileCommand,
  addCompareCommand,
  addReduceCommand,
  addCaptureCommand,
  addSpectrumCommand,
  addFetchCommand,
  addDoctorCommand,
  addBenchCommand,
  addMakeCheckpointCommand,
  addDemoCommand,
  addCompletionCommand,
];

/** Every command and option, as commander takes them. It ends with a CommanderError where it cannot go on, and exits nowhere. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('laminar')
    .description('Measures how many dimensions each hidden layer of a transformer uses.')
    .version(packageJson.version)
    .option(
      '--verbose',
      'add the stack to an error, what the drivers print, and at the end how much memory was used',
    )
    .option(
      '--gpu-memory <bytes>',
      `the maximum GPU memory to use, such as 1.5GB; weights that do not fit pass through layer by layer (${gpuMemoryDefault})`,
      byteCount('--gpu-memory'),
    )
    .option(
      '--subgroup-matrices',
      'compute matrix products over subgroup matrices, if the adapter has them (experimental)',
    )
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .configureHelp({ showGlobalOptions: true })
    .hook('preAction', () => {
      const {
        gpuMemory,
        subgroupMatrices = false,
        verbose = false,
      } = program.opts<{ gpuMemory?: number; subgroupMatrices?: boolean; verbose?: boolean }>();
      context.gpuMemory = gpuMemory;
      context.subgroupMatrices = subgroupMatrices;
      context.isVerbose = verbose;
    });
  for (const addCommand of commands) addCommand(program, context);
  return program;
}
