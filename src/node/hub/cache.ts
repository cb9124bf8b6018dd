import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { makeFolder } from '../folders.ts';
import type { RemoteFile } from './repository.ts';
import { isCommit } from './repository.ts';

/** Makes a symbolic link; a parameter, so that a system that refuses can be played. */
export type MakeLink = (target: string, path: string) => Promise<void>;

/**
 * One model's folder in the cache that Python's huggingface_hub keeps, laid out as it does:
 * models--org--name/{refs/REVISION, blobs/ETAG, snapshots/COMMIT/FILE -> ../../blobs/ETAG}.
 */
export class ModelCache {
  /** The cache folder's models--org--name. */
  readonly folder: string;
  /** Where Python's lock files lie, and ours. */
  readonly lockFolder: string;

  constructor(
    cacheFolder: string,
    repository: string,
    private readonly makeLink: MakeLink = symlink,
  ) {
    const name = ['models', ...repository.split('/')].join('--');
    this.folder = join(cacheFolder, name);
    this.lockFolder = join(cacheFolder, '.locks', name);
  }

  get blobFolder(): string {
    return join(this.folder, 'blobs');
  }

  blob(file: RemoteFile): string {
    return join(this.blobFolder, file.etag);
  }

  snapshot(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** The commit that a revision stood for when it was last fetched. */
  async readReference(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** Notes what a branch or tag stands for; a commit needs no note. */
  async writeReference(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.readReference(revision)) === commit) return;
    const path = join(this.folder, 'refs', ...revision.split('/'));
    await makeFolder(dirname(path));
    await replace(path, (temporary) => writeFile(temporary, commit));
  }

  /** Whether a snapshot holds a file, whole if its size is known. */
  async has(commit: string, name: string, size?: number): Promise<boolean> {
    return isFile(this.path(commit, name), size);
  }

  /** The text of a snapshot's file; undefined if there is none. */
  async read(commit: string, name: string): Promise<string | undefined> {
    return readFile(this.path(commit, name), 'utf8').catch(() => undefined);
  }

  async hasBlob(file: RemoteFile): Promise<boolean> {
    return isFile(this.blob(file), file.size);
  }

  /** The names in blobs/; none if it does not exist yet. */
  async listBlobs(): Promise<string[]> {
    return readdir(this.blobFolder).catch(() => []);
  }

  /**
   * Gives a blob its name in a snapshot. Where symbolic links are refused (Windows without the right), the
   * file itself goes there, as Python does it: moved if nothing else can refer to it yet, else copied.
   */
  async place(commit: string, file: RemoteFile, isNew: boolean): Promise<void> {
    const path = this.path(commit, file.path);
    const blob = this.blob(file);
    await makeFolder(dirname(path));
    try {
      await replace(path, (temporary) => this.makeLink(relative(dirname(path), blob), temporary));
    } catch (error) {
      if (!refusesLinks(error)) throw error;
      if (isNew) await rename(blob, path);
      else await replace(path, (temporary) => copyFile(blob, temporary, constants.COPYFILE_FICLONE));
    }
  }

  private path(commit: string, name: string): string {
    return join(this.snapshot(commit), ...name.split('/'));
  }
}

/** Makes something beside its place and renames it there, so that it appears whole or not at all. */
async function replace(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

async function isFile(path: string, size: number | undefined): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true && (size === undefined || found.size === size);
}

function refusesLinks(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return ['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL', 'UNKNOWN'].includes(code);
}
