import { unlikeTheHub as unlikeTheHubOf, HubError } from '../../hub/errors.ts';
import type { UnlikeTheHubError } from '../../hub/errors.ts';

/** The one-line error for a cache folder that refuses to be written or read. */
export function cacheFault(cause: NodeJS.ErrnoException, cacheFolder: string): HubError {
  const remedies: Record<string, string> = {
    ENOSPC: 'the disk is full; free space there',
    EDQUOT: 'the quota is used up; free space there',
    EROFS: 'it is read-only; make it writable',
    EACCES: 'access is denied; make it writable',
    EPERM: 'access is denied; make it writable',
    ENOTDIR: 'a file is where a folder must be; remove it',
    EEXIST: 'a file is where a folder must be; remove it',
    EISDIR: 'a folder is where a file must be; remove it',
  };
  const remedy = remedies[cause.code ?? ''] ?? 'check the disk';
  const place = cause.path === undefined ? '' : ` (${cause.code ?? 'error'} at ${cause.path})`;
  return new HubError(
    `cannot use the cache folder ${cacheFolder}${place}: ${remedy}, or name another one in HF_HUB_CACHE`,
    { code: 'cache-unusable', subject: { kind: 'file', name: cacheFolder }, cause },
  );
}

/** Whether an error comes from the operating system's file calls. */
export function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** The error for an answer that the hub would not give. */
export function unlikeTheHub(endpoint: string, cause?: unknown): UnlikeTheHubError {
  return unlikeTheHubOf(endpoint, 'check HF_ENDPOINT, or whether this network wants a login first', cause);
}
