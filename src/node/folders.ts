import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { FileError } from '../engine/errors.ts';
import { fileErrorFrom, systemErrorCode } from './file-errors.ts';

/**
 * Makes a folder, and those above it that are not there. Node's own recursive mkdir never ends if a file system answers
 * "no such file" for a folder that it will not make, as procfs does.
 * @param mode of what is made, less what the umask takes away
 * @returns whether the folder was not there before
 * @throws the system's error
 */
export async function makeFolder(path: string, mode = 0o777): Promise<boolean> {
  if (await isFolder(path)) return false;
  const parent = dirname(resolve(path));
  const isParentThere = await stat(parent).then(
    () => true,
    (error: unknown) => systemErrorCode(error) !== 'ENOENT',
  );
  if (!isParentThere) await makeFolder(parent, mode);
  try {
    await mkdir(path, { mode });
    return true;
  } catch (error) {
    if (await isFolder(path)) return false; // another process was quicker
    throw error;
  }
}

/**
 * Checks, before long work, that files can be written into a folder after it. Makes nothing: if the folder does not
 * exist, the nearest one above it is checked.
 * @returns the nearest folder that is there
 * @throws FileError if a file is in the way or writing is not allowed
 */
export async function checkWritableFolder(folder: string): Promise<string> {
  let nearest = resolve(folder);
  let status = await stat(nearest).catch(() => undefined);
  while (!status && nearest !== dirname(nearest)) {
    nearest = dirname(nearest);
    status = await stat(nearest).catch(() => undefined);
  }
  if (status && !status.isDirectory()) {
    throw FileError.at(nearest, 'is a file, where a folder is needed; give another folder');
  }
  await access(nearest, constants.W_OK).catch((error: unknown) => {
    throw fileErrorFrom(error, folder, 'write into the folder');
  });
  return nearest;
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
}
