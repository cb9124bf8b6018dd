import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from '../folders.ts';

const HEARTBEAT = 2_000;
const STALE_AFTER = 30_000;
const POLL = 100;
const TOKEN = /^laminar-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}$/;
const THIS_HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

/** A lock that is ours until it is released. */
export interface Lock {
  /** Names the holder: host, process and a random part; fit for a file name. */
  readonly token: string;
  release(): Promise<void>;
}

/**
 * Takes an exclusive lock between Laminar's processes, on any file system: a file that only one can create,
 * touched while it is held. Node cannot take the flock that Python's filelock uses, so the lock saves double
 * work and no more; what protects the files is that each download has a file of its own (partial.ts).
 * A lock is taken over when its process is gone or it has not been touched for 30 s.
 * @throws the signal's reason if it is aborted while waiting; file system errors.
 */
export async function acquireLock(
  path: string,
  signal: AbortSignal | undefined,
  onWait: () => void,
): Promise<Lock> {
  const token = `laminar-${THIS_HOST}-${process.pid}-${randomBytes(6).toString('hex')}`;
  await makeFolder(dirname(path));
  let told = false;
  while (!(await create(path, token))) {
    signal?.throwIfAborted();
    if (await takeAway(path, token)) continue;
    if (!told) onWait();
    told = true;
    await sleep(POLL);
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined); // taken over: the next one to write has its own file
  }, HEARTBEAT);
  heartbeat.unref();
  return {
    token,
    release: async () => {
      clearInterval(heartbeat);
      const holder = await readFile(path, 'utf8').catch(() => undefined);
      if (holder === token) await rm(path, { force: true });
    },
  };
}

/**
 * Whether the process behind a token has ended, as far as can be told from here.
 * @param idle milliseconds since it last showed a sign of life.
 * @param longest idle milliseconds after which it counts as ended.
 */
export function hasEnded(token: string, idle: number, longest = STALE_AFTER): boolean {
  if (idle > longest) return true;
  const [, host, pid] = TOKEN.exec(token) ?? [];
  if (host !== THIS_HOST) return false;
  if (Number(pid) === process.pid) return false;
  try {
    process.kill(Number(pid), 0); // sends nothing, only asks
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Whether a text is one of our tokens. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

async function create(path: string, token: string): Promise<boolean> {
  try {
    await writeFile(path, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes a dead holder's lock; by renaming, so that of several who try only one succeeds. */
async function takeAway(path: string, token: string): Promise<boolean> {
  try {
    const [holder, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    // Between creating the file and writing the token it is empty: only age can tell then.
    if (!hasEnded(holder, Date.now() - mtimeMs)) return false;
    const aside = `${path}.${token}`;
    await rename(path, aside);
    await rm(aside, { force: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}
