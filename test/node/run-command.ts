import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The tests' own build of the command: dist/ may be in use. It lies within the project, so that packages resolve. */
export const commandPath = fileURLToPath(new URL('../../out/test-dist/node/main.js', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Sends a signal after some milliseconds. */
  readonly killAfter?: readonly [signal: NodeJS.Signals, milliseconds: number];
}

/** Runs the built `laminar` as a process of its own and waits for its end. */
export function laminar(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const child = spawn(process.execPath, [commandPath, ...args], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  if (options.killAfter) {
    const [signal, milliseconds] = options.killAfter;
    setTimeout(() => child.kill(signal), milliseconds);
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, stdout, stderr });
    });
  });
}

/** What stderr says besides the one notice that a software GPU computes. */
export function complaints({ stderr }: CommandResult): string {
  return stderr
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('laminar: NO HARDWARE GPU'))
    .join('\n');
}
