import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** A host, a process, since when it runs (where the system tells) and a random part. */
const TOKEN = /^laminar-([0-9a-f]{8})-(\d+)(?:-s(\d+))?-[0-9a-f]{12}$/;

/**
 * The machine, within which process numbers mean the same: containers count processes of their own, and a machine that
 * was restarted counts from the beginning.
 */
const THIS_HOST = createHash('sha256')
  .update([hostname(), tell(() => readlinkSync('/proc/self/ns/pid')), bootId()].join('\n'))
  .digest('hex')
  .slice(0, 8);
const THIS_START = startOf(process.pid);

/** A name that tells which process owns a file. It can stand in a file name, and is never the same twice. */
export function ownerToken(): string {
  const start = THIS_START === undefined ? '' : `-s${THIS_START}`;
  return `laminar-${THIS_HOST}-${process.pid}${start}-${randomBytes(6).toString('hex')}`;
}

/** Whether a text is one of our tokens. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** The process behind a token: `unknown` where it is another machine's, or the text is not a token. */
export function ownerState(token: string): 'alive' | 'ended' | 'unknown' {
  const [, host, pid, start] = TOKEN.exec(token) ?? [];
  if (host !== THIS_HOST) return 'unknown';
  if (!isRunning(Number(pid))) return 'ended';
  // Another process may have this number now.
  const now = start === undefined ? undefined : startOf(Number(pid));
  return now !== undefined && now !== start ? 'ended' : 'alive';
}

/**
 * Whether the process behind a token has ended, as far as can be told from here.
 * @param idle milliseconds since it last showed a sign of life
 * @param longest idle milliseconds after which it counts as ended, though nothing else says so
 */
export function hasEnded(token: string, idle: number, longest: number): boolean {
  return idle > longest || ownerState(token) === 'ended';
}

/** "process 4711", for messages. */
export function describeOwner(token: string): string {
  const [, host, pid] = TOKEN.exec(token) ?? [];
  if (pid === undefined) return 'another process';
  return host === THIS_HOST ? `process ${pid}` : `process ${pid} of another machine`;
}

function isRunning(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0); // sends nothing, only asks
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** When a process began, in the kernel's ticks; undefined if the system does not tell. */
function startOf(pid: number): string | undefined {
  // The name, in parentheses, may hold anything; the start is the twentieth field after it (proc(5)).
  const fields = tell(() => readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/s, ''));
  return fields?.trim().split(' ')[19];
}

function bootId(): string | undefined {
  return tell(() => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim());
}

function tell(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined; // not Linux, or not to be seen from here
  }
}
