import { join } from 'node:path';
import type { Command } from 'commander';
import { fixed } from '../../analysis/quantities.ts';
import { profileDefaults } from '../../analysis/report.ts';
import type { Report, SequenceReport } from '../../analysis/report.ts';
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
      const reports: Report[] = [];
      for (const [index, name] of bundledModels().entries()) {
        const { report, folder } = await profileToFiles(
          name,
          { ...profileDefaults, out: join(out, name), force },
          context,
          gpu,
        );
        printText(`${index > 0 ? '\n' : ''}${describeProfile(report, folder)}`);
        reports.push(report);
      }
      printText(demoHeadline(reports));
    });
}

/** What the demo shows, in a sentence per model, and what to run next. Empty without models. */
export function demoHeadline(reports: readonly Report[]): string {
  const last = reports.at(-1);
  if (!last) return '';
  const dimensions = ({ layers }: SequenceReport) =>
    fixed(layers.reduce((sum, layer) => sum + layer.effective_dimension, 0) / layers.length, 1);
  const loss = (sequence: SequenceReport) => fixed(sequence.loss?.mean ?? null, 2);
  const sentences = reports.map(
    ({ model, sequences: { real, shuffled } }) =>
      `${model.id}: shuffled, the text uses ${dimensions(shuffled)} dimensions per layer instead of ${dimensions(real)}, ` +
      `but the loss is ${loss(shuffled)} instead of ${loss(real)}\n`,
  );
  return (
    `\n${sentences.join('')}` +
    `next: laminar profile ${last.model.id} --shuffle-blocks 4,16,64 shows how the loss falls if the order in blocks is kept\n`
  );
}
