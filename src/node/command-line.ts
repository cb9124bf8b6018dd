import { CommanderError } from 'commander';
import type { Command } from 'commander';
import { InputError, LaminarError } from '../engine/errors.ts';
import { messageLine, visibleLines } from '../engine/message.ts';
import { CommandContext } from './commands/context.ts';
import { flagWords } from './flags.ts';
import { buildProgram } from './program.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

/**
 * Runs one command line in this process: the answer goes to stdout, all else to stderr.
 * @param argv as process.argv has it
 * @param signal aborts the work
 * @returns the exit code; an error has become one line on stderr
 */
export async function runCommandLine(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const context = new CommandContext(signal);
  const program = buildProgram(context);
  try {
    await program.parseAsync(argv);
    if (context.isVerbose) context.terminal.notice(memoryLine(context));
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0; // --help, --version
    if (error instanceof CommanderError && error.code === 'commander.help') {
      program.outputHelp(); // no command was given
      return 0;
    }
    context.terminal.endStages();
    const isVerbose = program.opts<{ verbose?: boolean }>().verbose === true;
    process.stderr.write(`laminar: ${signal.aborted ? 'interrupted' : oneLine(error, program)}\n`);
    if (isVerbose && error instanceof Error) process.stderr.write(`${visibleLines(withCauses(error))}\n`);
    return error instanceof InputError || error instanceof CommanderError ? EXIT_USAGE : EXIT_FAILED;
  } finally {
    context.terminal.endStages();
  }
}

/** The peaks of GPU buffers and of the process. On a software adapter the first is part of the second. */
function memoryLine(context: CommandContext): string {
  const { gpu, process } = context.peakMemory();
  const buffers = gpu === undefined ? '' : `GPU buffers ${gpu} bytes, `;
  return `at most ${buffers}process ${process} bytes`;
}

/** An error as one line. Errors that are not ours begin with their kind: they are defects, or come from the system. */
function oneLine(error: unknown, program: Command): string {
  const isOurs = error instanceof LaminarError;
  const text =
    error instanceof CommanderError
      ? usageMessage(error, program)
      : isOurs
        ? error.inWords(flagWords)
        : String(error);
  return messageLine(text);
}

/** commander's message without its prefix, and where to look. */
function usageMessage({ message }: CommanderError, program: Command): string {
  const [word] = program.args;
  const command = program.commands.some((known) => known.name() === word) ? `laminar ${word}` : 'laminar';
  return `${message.replace(/^error: |\.$/g, '')}; see ${command} --help`;
}

function withCauses(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by ${withCauses(error.cause)}` : own;
}
