import { rmSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { STALE_AFTER } from './lock.ts';
import { hasEnded, isToken, ownerToken } from './owner.ts';
import { atSuddenEnd } from './sudden-end.ts';

/** The name of the list of files that will be put in place, within the staging folder. */
export const JOURNAL = 'swap.json';

/** Those of this process, and how to say that they have gone. */
const ours = new Map<string, () => void>();

/**
 * Makes a hidden folder in which files are written before they take their names in the folder around it. Its name tells
 * which process made it, so that what a killed process left differs from what another one is writing.
 * @returns its path
 * @throws the system's error
 */
export async function makeStaging(folder: string): Promise<string> {
  const path = join(folder, `.${ownerToken()}`);
  await mkdir(path);
  const forget = atSuddenEnd(() => {
    rmSync(path, { recursive: true, force: true });
  });
  ours.set(path, forget);
  return path;
}

/** All staging folders of this user, of whatever process. */
export async function stagingIn(folder: string): Promise<{ path: string; isAbandoned: boolean }[]> {
  const found: { path: string; isAbandoned: boolean }[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith('.') || !isToken(name.slice(1))) continue;
    const path = join(folder, name);
    const status = await lstat(path).catch(() => undefined);
    if (!status?.isDirectory() || !isOurs(status)) continue;
    // A process of another machine does not touch its folder while it writes into the files.
    const isAbandoned = hasEnded(name.slice(1), Date.now() - status.mtimeMs, 2880 * STALE_AFTER);
    found.push({ path, isAbandoned });
  }
  return found;
}

/** Removes what killed processes left. `FileSet` finishes what was already about to be put in place. */
export async function cleanStaging(folder: string): Promise<void> {
  for (const { path, isAbandoned } of await stagingIn(folder)) {
    if (!isAbandoned) continue;
    const isUnderWay = await lstat(join(path, JOURNAL)).then(
      () => true,
      () => false,
    );
    if (!isUnderWay) await removeStaging(path);
  }
}

/** A folder that cannot be removed does no harm. The journal goes first, because nobody reads the folder without it. */
export async function removeStaging(path: string): Promise<void> {
  await rm(join(path, JOURNAL), { force: true }).catch(() => undefined);
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
  ours.get(path)?.();
  ours.delete(path);
}

export function isOurs({ uid }: Stats): boolean {
  const user = process.getuid?.();
  return user === undefined || uid === user;
}
