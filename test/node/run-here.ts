import { openNodeGpu, runCommandLine } from '#command-line';
import { withoutProxies } from './run-command.ts';
import type { CommandOptions, CommandResult } from './run-command.ts';

/**
 * From now on each GPU that is opened in this process gets the same device, whose kernels are compiled once: most of a small
 * command is that. What a command allocates is freed with its GPU, and counted there; the device itself stays.
 */
export async function shareDevice(): Promise<void> {
  const { device } = await openNodeGpu();
  device.destroy = () => undefined;
  GPUAdapter.prototype.requestDevice = () => Promise.resolve(device);
}

/**
 * Runs a command line in this process, with a working folder, an environment and streams as if in its own: a process
 * costs a third of a second, and a second more where it computes. One at a time. What depends on being a process
 * (signals, stdin, drivers, the build itself) needs `laminar` of run-command.ts.
 */
export async function laminarHere(
  args: readonly string[],
  { cwd, env = {} }: Omit<CommandOptions, 'killWhen'> = {},
): Promise<CommandResult> {
  const setEnvironment = (values: Readonly<Record<string, string | undefined>>) => {
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  };
  const asInProcess = { ...withoutProxies, ...env };
  const before = Object.fromEntries(Object.keys(asInProcess).map((name) => [name, process.env[name]]));
  const folder = process.cwd();
  const stdout = divert(process.stdout);
  const stderr = divert(process.stderr);
  try {
    setEnvironment(asInProcess);
    if (cwd !== undefined) process.chdir(cwd);
    const code = await runCommandLine([process.execPath, 'laminar', ...args], new AbortController().signal);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  } finally {
    process.chdir(folder);
    setEnvironment(before);
    stdout.giveBack();
    stderr.giveBack();
  }
}

/** Keeps what is written to a stream, until it is given back. */
function divert(stream: NodeJS.WriteStream): { text: () => string; giveBack: () => void } {
  const { write } = stream;
  let written = '';
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    written += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const callback = rest.find((argument) => typeof argument === 'function');
    if (callback) queueMicrotask(() => void callback());
    return true;
  };
  return { text: () => written, giveBack: () => void (stream.write = write) };
}
