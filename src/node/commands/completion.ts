import { Argument } from 'commander';
import type { Command } from 'commander';
import { declaredProgram } from '../completion/declarations.ts';
import { shells } from '../completion/scripts.ts';
import type { Shell } from '../completion/scripts.ts';

/** `laminar completion`: a script that lets a shell complete commands, options and their values. */
export function addCompletionCommand(program: Command): void {
  const names = Object.keys(shells);
  const uses = Object.entries(shells).map(([shell, { use }]) => `  ${shell.padEnd(5)} ${use}`);
  program
    .command('completion')
    .description('print a script that lets a shell complete commands, options and values')
    .addArgument(new Argument('<shell>', 'the shell to write for').choices(names))
    .addHelpText('after', `\nPut the line of your shell into its startup file:\n${uses.join('\n')}`)
    .action((shell: Shell) => {
      process.stdout.write(shells[shell].write(declaredProgram(program)));
    });
}
