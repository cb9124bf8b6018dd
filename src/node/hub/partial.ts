import type { Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, lstat, open, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { ModelCache } from './cache.ts';
import { hasEnded, isToken } from '../owner.ts';
import { newHash } from './content-hash.ts';
import type { RemoteFile } from './repository.ts';

/** A download in a crashed process's own file counts as left behind after this time at the latest. */
const ABANDONED_AFTER = 600_000;
/** Older huggingface_hub appends to ETAG.incomplete while it holds a lock that cannot be seen from here. */
const PYTHON_MAY_WRITE = 60_000;
const READ_BLOCK = 1 << 20;

/**
 * The bytes of a download that have arrived. While it runs they lie in blobs/ETAG.TOKEN.incomplete, which no other
 * process writes; when it stops early they go back to blobs/ETAG.incomplete, from where Python and we resume. So two
 * downloads of the same file may take twice the bytes, but never mix them.
 */
export class Partial {
  /** The hash of exactly the bytes that are in the file. */
  private hash: Hash;

  private constructor(
    private readonly cache: ModelCache,
    private readonly file: RemoteFile,
    private readonly path: string,
    private readonly handle: FileHandle,
    private bytes: number,
  ) {
    this.hash = newHash(file.algorithm, file.size);
  }

  /** Opens a file of our own, with what an earlier attempt left in it. */
  static async claim(
    cache: ModelCache,
    file: RemoteFile,
    token: string,
    signal: AbortSignal | undefined,
  ): Promise<Partial> {
    await cache.makeFolder(cache.blobFolder);
    const path = join(cache.blobFolder, `${file.etag}.${token}.incomplete`);
    await adopt(cache, file, path);
    // The name belongs to this process; if something else has it, it is not followed.
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o666);
    const partial = new Partial(cache, file, path, handle, (await handle.stat()).size);
    try {
      if (partial.length > file.size) await partial.clear();
      await partial.hashRest(signal);
    } catch (error) {
      await partial.leave().catch(() => undefined); // the first error tells more
      throw error;
    }
    return partial;
  }

  /** Bytes that have arrived. */
  get length(): number {
    return this.bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.length) {
      const { bytesWritten } = await this.handle.write(chunk, written, chunk.length - written, this.bytes);
      this.hash.update(chunk.subarray(written, written + bytesWritten));
      written += bytesWritten;
      this.bytes += bytesWritten;
    }
  }

  /** Forgets every byte. */
  async clear(): Promise<void> {
    await this.handle.truncate(0);
    this.bytes = 0;
    this.hash = newHash(this.file.algorithm, this.file.size);
  }

  /** The hash, in hexadecimal, of what has arrived. */
  digest(): string {
    return this.hash.copy().digest('hex');
  }

  /** Gives the finished file its final name; only now, verified and on the disk. */
  async finish(): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    await rename(this.path, this.cache.blob(this.file));
  }

  /** Stops early: what has arrived is kept for the next attempt. */
  async leave(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    if (this.bytes === 0) {
      await rm(this.path, { force: true });
      return;
    }
    const common = commonPath(this.cache, this.file);
    const other = await lstat(common).catch(() => undefined);
    if (other && (other.size >= this.bytes || (await pythonMayWrite(this.cache, this.file, other.mtimeMs)))) {
      return;
    }
    if (other) await rename(this.path, common);
    // A link cannot displace what another program creates at this moment, a rename would.
    else
      await link(this.path, common).then(
        () => rm(this.path),
        () => rename(this.path, common),
      );
  }

  /** Hashes what an earlier attempt left. */
  private async hashRest(signal: AbortSignal | undefined): Promise<void> {
    const block = new Uint8Array(READ_BLOCK);
    for (let position = 0; position < this.bytes;) {
      signal?.throwIfAborted();
      const { bytesRead } = await this.handle.read(block, 0, block.length, position);
      if (bytesRead === 0) break;
      this.hash.update(block.subarray(0, bytesRead));
      position += bytesRead;
    }
  }
}

/** Where a stopped download's bytes wait, for Python and for us. */
function commonPath(cache: ModelCache, file: RemoteFile): string {
  return `${cache.blob(file)}.incomplete`;
}

/** Makes the longest usable rest of an earlier attempt ours, and removes shorter ones that nobody uses. */
async function adopt(cache: ModelCache, file: RemoteFile, path: string): Promise<void> {
  const rests: { path: string; size: number; shared: boolean }[] = [];
  for (const name of await cache.listBlobs()) {
    if (!name.startsWith(`${file.etag}.`) || !name.endsWith('.incomplete')) continue;
    const rest = join(cache.blobFolder, name);
    const found = await lstat(rest).catch(() => undefined);
    if (!found?.isFile()) continue; // a link, too, which may lead anywhere
    const token = name.slice(file.etag.length + 1, -'.incomplete'.length);
    if (rest === commonPath(cache, file)) {
      rests.push({ path: rest, size: found.size, shared: await pythonMayWrite(cache, file, found.mtimeMs) });
    } else if (isToken(token) && hasEnded(token, Date.now() - found.mtimeMs, ABANDONED_AFTER)) {
      rests.push({ path: rest, size: found.size, shared: false });
    }
  }
  const usable = rests.filter(({ size }) => size <= file.size).sort((a, b) => b.size - a.size);
  const longest = usable[0];
  if (longest?.shared) await copyFile(longest.path, path, constants.COPYFILE_FICLONE);
  else if (longest) await rename(longest.path, path);
  for (const rest of rests) {
    if (rest !== longest && !rest.shared) await rm(rest.path, { force: true });
  }
}

/** Whether Python's lock file exists and the common partial file has changed lately. */
async function pythonMayWrite(cache: ModelCache, file: RemoteFile, changed: number): Promise<boolean> {
  const lock = await stat(join(cache.lockFolder, `${file.etag}.lock`)).catch(() => undefined);
  return lock !== undefined && Date.now() - changed < PYTHON_MAY_WRITE;
}

/**
 * Tidies up after processes that ended in the middle of a download: what they left becomes ETAG.incomplete, to be
 * resumed, or is removed if that file or the whole file exists already.
 */
export async function cleanLeftovers(cache: ModelCache): Promise<void> {
  for (const name of await cache.listBlobs()) {
    const [, etag, token = ''] = /^([^.]+)\.(.+)\.incomplete$/.exec(name) ?? [];
    if (etag === undefined || !isToken(token)) continue;
    const path = join(cache.blobFolder, name);
    const found = await lstat(path).catch(() => undefined);
    if (!found || !hasEnded(token, Date.now() - found.mtimeMs, ABANDONED_AFTER)) continue;
    const others = [join(cache.blobFolder, etag), join(cache.blobFolder, `${etag}.incomplete`)];
    const isNeeded = (await Promise.all(others.map((other) => lstat(other).catch(() => undefined)))).every(
      (other) => other === undefined,
    );
    if (isNeeded && found.isFile() && found.size > 0) await rename(path, others[1]!);
    else await rm(path, { force: true });
  }
}
