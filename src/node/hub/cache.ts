import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  copyFile,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { budgetOf } from '../../engine/budgets.ts';
import { readTextFile } from '../files.ts';
import { makeFolder } from '../folders.ts';
import { isAsListed, isUnlikeItsName } from './content-hash.ts';
import { HubError } from '../../hub/errors.ts';
import type { RemoteFile } from './repository.ts';
import { isCommit } from '../../hub/addresses.ts';
import type { FileState } from './selection.ts';
import { isDamaged } from './soundness.ts';

/** A commit's name has 40 characters. */
const MAX_REFERENCE_BYTES = 1024;

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
    readonly cacheFolder: string,
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
    const text = await readReferenceFile(join(this.folder, 'refs', ...revision.split('/')));
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /**
   * The commit that a revision seems to stand for, if no note says so: the one that a short hash begins; for main, the
   * one that was fetched last and has no other name.
   */
  async guessCommit(revision: string): Promise<string | undefined> {
    const commits = (await readdir(join(this.folder, 'snapshots')).catch(() => [])).filter(isCommit);
    if (/^[0-9a-f]{7,39}$/.test(revision)) {
      const matching = commits.filter((commit) => commit.startsWith(revision));
      return matching.length === 1 ? matching[0] : undefined;
    }
    if (revision !== 'main') return undefined;
    const named = await this.#namedCommits();
    const ages = await Promise.all(
      commits
        .filter((commit) => !named.has(commit))
        .map(async (commit) => ({ commit, time: (await stat(this.snapshot(commit))).mtimeMs })),
    );
    return ages.sort((a, b) => b.time - a.time)[0]?.commit;
  }

  /** Notes what a branch or tag stands for; a commit needs no note. */
  async writeReference(revision: string, commit: string): Promise<void> {
    if (revision === commit || (await this.readReference(revision)) === commit) return;
    const path = join(this.folder, 'refs', ...revision.split('/'));
    await this.makeFolder(dirname(path));
    await replace(path, (temporary) => writeFile(temporary, commit));
  }

  /** Whether a snapshot holds a file, whole if its size is known. */
  async has(commit: string, name: string, size?: number): Promise<boolean> {
    return isFile(this.path(commit, name), size);
  }

  /** The names of a snapshot's files and folders. */
  async list(commit: string): Promise<string[]> {
    return readdir(this.snapshot(commit)).catch(() => []);
  }

  /** Whether a snapshot's file is there, and looks like a whole file of its kind. */
  async stateOf(commit: string, name: string): Promise<FileState> {
    if (!(await this.has(commit, name))) return 'absent';
    const path = this.path(commit, name);
    return (await isDamaged(path)) || (await isUnlikeItsName(path)) ? 'damaged' : 'sound';
  }

  /** Whether a snapshot's file is the one that the hub lists. */
  async isAsListed(commit: string, file: RemoteFile, signal: AbortSignal | undefined): Promise<boolean> {
    return isAsListed(this.path(commit, file.path), file, signal);
  }

  /** Forgets a damaged file of a snapshot, and its blob. @throws HubError if a link leads out of the cache there */
  async discard(commit: string, file: RemoteFile): Promise<void> {
    await this.makeFolder(dirname(this.path(commit, file.path)));
    await this.makeFolder(this.blobFolder);
    await rm(this.path(commit, file.path), { force: true });
    await rm(this.blob(file), { force: true });
  }

  /**
   * Makes a folder of the cache.
   * @throws HubError if a link leads out of the cache on the way there
   */
  async makeFolder(path: string): Promise<void> {
    await makeFolder(this.cacheFolder);
    const root = await realpath(this.cacheFolder);
    const steps = relative(this.cacheFolder, path).split(sep);
    for (let count = 1; count <= steps.length; count++) {
      const step = join(this.cacheFolder, ...steps.slice(0, count));
      await makeFolder(step);
      const real = await realpath(step);
      if (!resolve(real).startsWith(root.endsWith(sep) ? root : root + sep)) {
        throw HubError.at(
          step,
          `is a link that leads out of the cache, to ${real}; remove it, or name that place in HF_HUB_CACHE`,
        );
      }
    }
  }

  /** The text of a snapshot's file; undefined if there is none, or one that is larger than its kind may be. */
  async read(commit: string, name: string): Promise<string | undefined> {
    const found = await stat(this.path(commit, name)).catch(() => undefined);
    if (found?.isFile() !== true || found.size > budgetOf(basename(name))) return undefined;
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
   * Gives a blob its name in a snapshot. If symbolic links are refused (Windows without the right), the file itself
   * goes there, as Python does it: moved if nothing else can refer to it yet, else copied.
   */
  async place(commit: string, file: RemoteFile, isNew: boolean): Promise<void> {
    const path = this.path(commit, file.path);
    const blob = this.blob(file);
    await this.makeFolder(dirname(path));
    try {
      await replace(path, (temporary) => this.makeLink(relative(dirname(path), blob), temporary));
    } catch (error) {
      if (!refusesLinks(error)) throw error;
      if (isNew) await rename(blob, path);
      else await replace(path, (temporary) => copyFile(blob, temporary, constants.COPYFILE_FICLONE));
    }
  }

  /** The commits that branches and tags stand for. */
  async #namedCommits(): Promise<Set<string>> {
    const folder = join(this.folder, 'refs');
    const names = await readdir(folder, { recursive: true }).catch(() => []);
    const texts = names.map((name) => readReferenceFile(join(folder, name))); // folders are among them
    return new Set((await Promise.all(texts)).map((text) => text.trim()));
  }

  private path(commit: string, name: string): string {
    return join(this.snapshot(commit), ...name.split('/'));
  }
}

/** What a reference says; nothing if it is not a file, or is larger than a name of a commit can be. */
async function readReferenceFile(path: string): Promise<string> {
  return (await readTextFile(path, MAX_REFERENCE_BYTES).catch(() => undefined)) ?? '';
}

/** Makes something next to its place and renames it, so that it appears whole or not at all. */
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
