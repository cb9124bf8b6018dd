import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeFolder } from './folders.ts';
import { ownerState, ownerToken } from './owner.ts';

const HEARTBEAT = 2_000;
export const STALE_AFTER = 30_000;
const POLL = 100;

/** A lock that is ours until it is released. */
export interface Lock {
  /** Names the holder; fit for a file name. */
  readonly token: string;
  release(): Promise<void>;
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told the holder's token when the lock is not free; it throws if the caller should not wait. */
  readonly onWait: (holder: string) => void;
  /**
   * Whether a lock that has not been touched for 30 s is taken over although its process may run: for work that may be
   * done twice without harm.
   */
  readonly mayTakeFromLiving: boolean;
}

/**
 * Takes an exclusive lock between Laminar's processes, on any file system: a file that only one can create, touched while
 * it is held. Node cannot take the flock that Python's filelock uses. A lock is taken over when its process is gone; one of
 * another machine, when it has not been touched for 30 s.
 * @throws the signal's reason if it is aborted while waiting; what `onWait` throws; file system errors.
 */
export async function acquireLock(
  path: string,
  { signal, onWait, mayTakeFromLiving }: LockOptions,
): Promise<Lock> {
  const token = ownerToken();
  await makeFolder(dirname(path));
  let told = false;
  while (!(await create(path, token))) {
    signal?.throwIfAborted();
    const holder = await takeAway(path, token, mayTakeFromLiving);
    if (holder === undefined) continue;
    if (!told) onWait(holder);
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

async function create(path: string, token: string): Promise<boolean> {
  try {
    await writeFile(path, token, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a dead holder's lock; by renaming, so that of several who try only one succeeds.
 * @returns the holder's token, if it may be alive
 */
async function takeAway(
  path: string,
  token: string,
  mayTakeFromLiving: boolean,
): Promise<string | undefined> {
  try {
    const [holder, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    const state = ownerState(holder);
    // The file is empty between its creation and the writing of the token. Then only its age can tell.
    const isOld = Date.now() - mtimeMs > STALE_AFTER && (state === 'unknown' || mayTakeFromLiving);
    if (state !== 'ended' && !isOld) return holder;
    const aside = `${path}.${token}`;
    await rename(path, aside);
    // Another process may have been quicker, and this may be its new lock: it is put back.
    const taken = await readFile(aside, 'utf8').catch(() => holder);
    if (taken !== holder) await link(aside, path).catch(() => undefined);
    await rm(aside, { force: true });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
