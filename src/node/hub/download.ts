import { join } from 'node:path';
import { fileAddress } from '../../hub/addresses.ts';
import { HubError, describeSubject, hashFault, hostOf } from '../../hub/errors.ts';
import type { HubSubject } from '../../hub/errors.ts';
import { acquireLock } from '../lock.ts';
import { NetworkError } from '../network/errors.ts';
import type { Answer } from '../network/http.ts';
import type { ModelCache } from './cache.ts';
import type { HubClient } from './client.ts';
import { Partial } from './partial.ts';
import type { RemoteFile } from './repository.ts';
import { noteVerified } from './verified.ts';

/** Failures in a row, with not a byte between them, after which a download is given up. */
const PATIENCE = 5;

/** A file to fetch, from where, into which cache. */
export interface Download {
  readonly client: HubClient;
  readonly cache: ModelCache;
  readonly subject: HubSubject;
  readonly commit: string;
  readonly file: RemoteFile;
  /** How many of the file's bytes are there now; may shrink when a download begins again. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Brings a file into the cache, resuming what is there, under a lock of its own. It takes its name only when
 * its size and hash are what the hub's listing says.
 * @throws HubError for a refusal, a wrong length or hash, or when the connection stays broken.
 */
export async function downloadFile(download: Download): Promise<void> {
  const { client, cache, commit, file } = download;
  const { signal, onNotice } = client.options;
  if (await cache.has(commit, file.path, file.size)) return;
  await cache.makeFolder(cache.lockFolder);
  // Not Python's ETAG.lock: it leaves that file behind, and locks it by means that Node does not have.
  const lockPath = join(cache.lockFolder, `${file.etag}.laminar.lock`);
  const lock = await acquireLock(lockPath, {
    signal,
    onWait: () => {
      onNotice(`waiting for another process that fetches ${describeSubject(download.subject)}`);
    },
    mayTakeFromLiving: true, // each download has a file of its own (partial.ts)
  });
  try {
    if (await cache.has(commit, file.path, file.size)) return;
    const isNew = !(await cache.hasBlob(file));
    if (isNew) await downloadBlob(download, lock.token);
    await cache.place(commit, file, isNew);
  } finally {
    await lock.release();
  }
}

async function downloadBlob(download: Download, token: string): Promise<void> {
  const { cache, file, client } = download;
  const partial = await Partial.claim(cache, file, token, client.options.signal);
  try {
    await receiveVerified(download, partial);
    await partial.finish();
    if (file.algorithm !== undefined) await noteVerified(cache, cache.blob(file));
  } catch (error) {
    await partial.leave().catch(() => undefined); // the first error tells more
    throw error;
  }
}

async function receiveVerified(download: Download, partial: Partial): Promise<void> {
  const { client, file, subject } = download;
  const backoff = client.backoff(subject, PATIENCE);
  let furthest = partial.length;
  for (let isSecond = false; ; isSecond = true) {
    while (partial.length < file.size) {
      try {
        await receive(download, partial);
      } catch (error) {
        if (partial.length > furthest) backoff.reset();
        furthest = Math.max(furthest, partial.length);
        await backoff.wait(error);
      }
    }
    if (file.algorithm === undefined) return; // a plain mirror: the length is all that it tells
    const digest = partial.digest();
    if (digest === file.etag) return;
    // No byte of it can be trusted, because the wrong part is not known.
    await partial.clear();
    const fault = hashFault(describeSubject(subject), file.algorithm, digest, file.etag);
    if (isSecond)
      throw HubError.about(subject, `${fault}, twice; nothing of it is kept: try again later`, {
        code: 'file-changed',
      });
    client.options.onNotice(`${fault}; fetching it again`);
  }
}

/** One request: takes what comes from where the partial file ends. */
async function receive(download: Download, partial: Partial): Promise<void> {
  const { client, file, subject, commit } = download;
  const address = fileAddress(
    client.settings.endpoint,
    subject.repository,
    file.revision ?? commit,
    file.path,
  );
  const from = partial.length;
  const answer = await client.open(address, subject, from > 0 ? { range: `bytes=${from}-` } : {});
  try {
    // A range of a compressed answer counts bytes that are not the file's.
    if (answer.status === 416 || (answer.status === 206 && answer.isCompressed)) {
      await partial.clear();
      throw new NetworkError(`${hostOf(client.settings.endpoint)} cannot resume`);
    }
    // It does not support ranges: the whole file comes again.
    if (answer.status === 200 && partial.length > 0) await partial.clear();
    checkLength(answer, partial.length, file, subject);
  } catch (error) {
    answer.discard();
    throw error;
  }
  for await (const chunk of answer.chunks()) {
    if (partial.length + chunk.length > file.size) {
      await partial.clear();
      throw wrongLength(subject, `more than ${file.size}`, file.size);
    }
    await partial.write(chunk);
    download.onBytes(partial.length);
    // A server that compresses without being asked may state another length; then the end of the answer cannot be
    // waited for.
    if (answer.isCompressed && partial.length === file.size) return;
  }
  if (partial.length < file.size) {
    throw new NetworkError(`the connection ended after ${partial.length} of ${file.size} bytes`);
  }
}

/** Checks what the answer's headers promise against the hub's listing. */
function checkLength(answer: Answer, from: number, file: RemoteFile, subject: HubSubject): void {
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers.get('content-range') ?? '');
  if (answer.status === 206 && Number(range?.[1]) !== from) {
    throw HubError.about(
      subject,
      `cannot fetch ${describeSubject(subject)}: asked for bytes from ${from}, got ${answer.headers.get('content-range') ?? 'no range'}; check the proxy or HF_ENDPOINT`,
    );
  }
  if (answer.isCompressed) return;
  const total = range?.[2] === '*' ? null : (range?.[2] ?? answer.headers.get('content-length'));
  if (total !== null && Number(total) !== file.size) throw wrongLength(subject, total, file.size);
}

function wrongLength(subject: HubSubject, found: string, expected: number): HubError {
  return HubError.about(
    subject,
    `${describeSubject(subject)} comes with ${found} bytes where the hub lists ${expected}; nothing of it is taken: try again later, or check HF_ENDPOINT`,
  );
}
