import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The tests' own build of the command: dist/ may be in use. It lies within the project, so that packages resolve. */
export const commandPath = fileURLToPath(new URL('../../out/test-dist/node/main.js', import.meta.url));

/** The servers of these tests are on this machine, whatever stands between it and the others. */
export const withoutProxies = Object.fromEntries(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'].flatMap((name) => [
    [name, undefined],
    [name.toLowerCase(), undefined],
  ]),
);

export interface CommandResult {
  /** As shells have it: 128 + its number where a signal ended the command. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Sends a signal as soon as the command has come so far, as its stderr may tell. */
  readonly killWhen?: readonly [signal: NodeJS.Signals, hasComeSoFar: (stderr: string) => Promise<boolean>];
}

/** Runs the built `laminar` as a process of its own and waits for its end. */
export function laminar(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return startLaminar(args, options).ended;
}

/** Starts the built `laminar` as a process of its own. */
export function startLaminar(
  args: readonly string[],
  options: CommandOptions = {},
): { readonly child: ChildProcess; readonly ended: Promise<CommandResult> } {
  const child = spawn(process.execPath, [commandPath, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...withoutProxies, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  if (options.killWhen) {
    const [signal, hasComeSoFar] = options.killWhen;
    void killWhen(child, signal, () => hasComeSoFar(stderr));
  }
  const ended = new Promise<CommandResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code: code ?? (signal && 128 + constants.signals[signal]), stdout, stderr });
    });
  });
  return { child, ended };
}

async function killWhen(
  child: ChildProcess,
  signal: NodeJS.Signals,
  hasComeSoFar: () => Promise<boolean>,
): Promise<void> {
  while (child.exitCode === null && !(await hasComeSoFar())) await sleep(10);
  child.kill(signal);
}

/**
 * What Laminar says on stderr, besides the one notice that a software GPU computes. What libraries print is not judged:
 * it differs from machine to machine.
 */
export function complaints({ stderr }: CommandResult): string {
  return stderr
    .split('\n')
    .filter((line) => /^laminar: (?!NO HARDWARE GPU|a driver says: )/.test(line))
    .join('\n');
}
