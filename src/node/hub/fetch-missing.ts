import { statfs } from 'node:fs/promises';
import { option, wording } from '../../engine/error-words.ts';
import { HubError } from '../../hub/errors.ts';
import type { HubSubject } from '../../hub/errors.ts';
import type { ModelCache } from './cache.ts';
import type { HubClient } from './client.ts';
import { downloadFile } from './download.ts';
import { cleanLeftovers } from './partial.ts';
import { selectFiles } from './repository.ts';
import type { RemoteFile } from './repository.ts';
import { readShardNames } from './selection.ts';

/** How far fetching a model is. All counts are over the files that were not in the cache when it began. */
export interface FetchProgress {
  /** The file that bytes are arriving for, by its name in the repository. */
  readonly file: string;
  /** Bytes that are there, including those of an earlier attempt: the first call tells how many, for the rate. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
}

/** A model to bring into the cache. */
export interface Fetching {
  readonly client: HubClient;
  readonly cache: ModelCache;
  readonly subject: HubSubject;
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
}

const PROGRESS_INTERVAL = 50;

/**
 * Fetches what a snapshot lacks: the index first, because it names the rest.
 * @param listed every file of the commit
 * @param damaged files that the snapshot has and that must be fetched again
 * @throws HubError if the model has no usable weights or cannot be fetched
 */
export async function fetchMissing(
  { client, cache, subject, onProgress }: Fetching,
  commit: string,
  listed: ReadonlyMap<string, RemoteFile>,
  damaged: readonly string[],
): Promise<void> {
  const { weights, beside } = await selectFiles(client, subject, listed);
  for (const name of damaged) {
    const file = listed.get(name);
    if (!file || (await cache.isAsListed(commit, file, client.options.signal))) continue;
    client.options.onNotice(`the cached ${name} of ${subject.repository} is damaged; fetching it again`);
    await cache.discard(commit, file);
  }
  const fetchOne = (file: RemoteFile, onBytes: (bytes: number) => void) =>
    downloadFile({ client, cache, subject: { ...subject, file: file.path }, commit, file, onBytes });
  const needed = [...beside];
  if ('index' in weights) {
    await fetchOne(listed.get(weights.index)!, () => undefined);
    const where = `${weights.index} of ${subject.repository} at ${subject.revision}`;
    const text = (await cache.read(commit, weights.index)) ?? '';
    needed.push(...readShardNames(text, where).map((name) => listedFile(name, where, listed)));
  } else {
    needed.push(...weights.files.map((name) => listed.get(name)!));
  }
  const missing: RemoteFile[] = [];
  for (const file of needed) {
    if (!(await cache.has(commit, file.path, file.size))) missing.push(file);
  }
  const bytesTotal = missing.reduce((sum, file) => sum + file.size, 0);
  await warnIfTight(client, bytesTotal);
  let bytesBefore = 0;
  let lastCall = -Infinity;
  for (const [filesBefore, file] of missing.entries()) {
    const report = (bytes: number, filesDone: number): void => {
      lastCall = performance.now();
      const bytesDone = bytesBefore + bytes;
      onProgress?.({ file: file.path, bytesDone, bytesTotal, filesDone, filesTotal: missing.length });
    };
    await fetchOne(file, (bytes) => {
      if (performance.now() - lastCall >= PROGRESS_INTERVAL) report(bytes, filesBefore);
    });
    report(file.size, filesBefore + 1);
    bytesBefore += file.size;
  }
  await cleanLeftovers(cache).catch(() => undefined); // a read-only cache, for instance
}

/** Warns before a long download for which the disk may be too small; bytes that are there already are not counted. */
async function warnIfTight(client: HubClient, bytes: number): Promise<void> {
  const { cacheFolder } = client.settings;
  const disk = await statfs(cacheFolder).catch(() => undefined);
  const free = (disk?.bavail ?? 0) * (disk?.bsize ?? 0);
  if (disk && bytes > free) {
    const gigabytes = (count: number) => `${(count / 1e9).toFixed(2)} GB`;
    client.options.onNotice(
      `${gigabytes(bytes)} may not fit into ${cacheFolder}, which has ${gigabytes(free)} free; HF_HUB_CACHE names another folder`,
    );
  }
}

/** A shard, as the hub lists it. */
function listedFile(name: string, where: string, listed: ReadonlyMap<string, RemoteFile>): RemoteFile {
  const file = listed.get(name);
  if (file) return file;
  throw new HubError(
    wording`${where} names ${name}, which the repository does not have; choose another ${option('revision')}`,
    { code: 'file-missing', subject: { kind: 'file', name } },
  );
}
