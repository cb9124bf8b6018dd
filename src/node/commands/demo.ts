import { join } from 'node:path';
import type { Command } from 'commander';
import { profileDefaults } from '../../analysis/report.ts';
import { bundledModels } from '../bundled.ts';
import { nonEmpty } from '../options.ts';
import { describeProfile } from '../profile-summary.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';
import { profileToFiles } from './profile.ts';

/** `laminar demo`, what `npm start` runs: the profiles of the bundled models, into out/NAME. */
export function addDemoCommand(program: Command, context: CommandContext): void {
  program
    .command('demo')
    .description('profile the bundled models into out/')
    .option('--out <folder>', 'where their folders go', nonEmpty('--out'), 'out')
    .option('--force', 'overwrite the reports of other runs')
    .action(async ({ out, force = false }: { out: string; force?: boolean }) => {
      // One device for all: what it has compiled serves the next model, too.
      using gpu = await context.openGpu();
      for (const [index, name] of bundledModels().entries()) {
        const { report, folder } = await profileToFiles(
          name,
          { ...profileDefaults, out: join(out, name), force },
          context,
          gpu,
        );
        printText(`${index > 0 ? '\n' : ''}${describeProfile(report, folder)}`);
      }
    });
}
