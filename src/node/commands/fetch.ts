import type { Command } from 'commander';
import { visible } from '../../engine/message.ts';
import { findModel } from '../model-source.ts';
import type { CommandContext } from './context.ts';

/** `laminar fetch`: brings a model of the hub into the cache and prints its folder. */
export function addFetchCommand(program: Command, { terminal, signal }: CommandContext): void {
  program
    .command('fetch')
    .description('fetch a model into the cache that Python shares, and print its folder')
    .argument('<repo>', 'a hub id such as EleutherAI/pythia-2.8b, or the address of its page')
    .option('--revision <name>', 'branch, tag or commit (default: main)')
    .option('--verify', 'read every cached file and compare it with its hash; fetch again what differs')
    .action(async (reference: string, { revision, verify }: { revision?: string; verify?: boolean }) => {
      const { folder } = await findModel(reference, { revision, signal, terminal, thorough: true, verify });
      terminal.endStages();
      process.stdout.write(process.stdout.isTTY ? `${visible(folder)}\n` : `${folder}\n`);
    });
}
