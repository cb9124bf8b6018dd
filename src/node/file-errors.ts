import { FileError, LaminarError } from '../engine/errors.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EEXIST: 'a file is in the way',
  ENOTDIR: 'part of the path is a file, not a folder',
  ENAMETOOLONG: 'a name in the path is too long',
  ELOOP: 'the links in the path lead in a circle',
  EISDIR: 'is a folder, not a file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EMFILE: 'too many files are open',
};

/** The code of a failed system call, such as ENOENT. */
export function systemErrorCode(error: unknown): string | undefined {
  // Our own errors have codes, too, but those are not the system's.
  if (!(error instanceof Error) || error instanceof LaminarError || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Puts a failed system call into one line that names the file. Other errors come back as they are. */
export function fileErrorFrom(error: unknown, path: string, attempt: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  return FileError.at(path, `cannot ${attempt}: ${reasons[code] ?? code}`, { cause: error });
}
