import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { systemErrorCode } from './file-errors.ts';

/** The errors of file systems that cannot sync a file or a folder. */
const UNABLE = new Set(['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EBADF', 'EPERM', 'EISDIR', 'EACCES']);

/**
 * Waits until the disk has what was written: only then may a file take a name that a loss of power must not leave empty.
 * @throws the system's error if the disk refuses it, such as one that is full or fails
 */
export async function syncHandle(handle: FileHandle): Promise<void> {
  await handle.sync().catch((error: unknown) => {
    if (!UNABLE.has(systemErrorCode(error) ?? '')) throw error;
  });
}

/** The same of a file by its path. @throws as `syncHandle` */
export async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await syncHandle(handle);
  } finally {
    await handle.close();
  }
}

/** The same of the names in a folder. Windows cannot open a folder, and does not need this. @throws as `syncHandle` */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (UNABLE.has(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  });
  if (!handle) return;
  try {
    await syncHandle(handle);
  } finally {
    await handle.close();
  }
}
