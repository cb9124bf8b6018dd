#!/usr/bin/env node
import { setMaxListeners } from 'node:events';
import { LaminarError } from '../engine/errors.ts';
import { runCommandLine } from './command-line.ts';
import { fileErrorFrom } from './file-errors.ts';
import { cleanUpNow } from './sudden-end.ts';

// Packages that log would write into the data, and stdout holds only the answer.
console.log = console.info = console.debug = console.error;
watchStreams();
const interruption = new AbortController();
// Every wait for the GPU and every file listens: many at once are not a leak.
setMaxListeners(0, interruption.signal);
/** Milliseconds that the work has to stop in order after a signal. */
const GRACE_MILLISECONDS = 800;
let interrupted: NodeJS.Signals | undefined;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    if (interrupted !== undefined) endBy(name); // the second signal: do not wait any longer
    interrupted = name;
    interruption.abort(new LaminarError('interrupted'));
    // Work that does not hear the signal, such as a read from a server that hangs, must not hold up the command.
    setTimeout(() => {
      process.stderr.write('laminar: interrupted\n');
      endBy(name);
    }, GRACE_MILLISECONDS).unref();
  });
}
process.exitCode = await runCommandLine(process.argv, interruption.signal);
if (interrupted !== undefined && process.exitCode !== 0) endBy(interrupted);

/**
 * Ends this process by the signal itself, as interrupted programs do; shells report 128 + its number. The GPU may still
 * compute what was submitted: this does not wait for it, and libraries are not unloaded while their threads run.
 */
function endBy(signal: NodeJS.Signals): void {
  cleanUpNow();
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * `laminar … | head` closes a stream early: nobody reads on, and that is not a failure. Data that a full disk refuses is.
 */
function watchStreams(): void {
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    const { message } = fileErrorFrom(error, 'standard output', 'write the data') as Error;
    process.stderr.write(`laminar: ${message}\n`);
    process.exit(1);
  });
}
