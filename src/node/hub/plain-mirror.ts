import { createHash } from 'node:crypto';
import { chooseTokenizerFiles, tokenizerFiles } from '../../engine/tokenizer/files.ts';
import { weightCandidates } from '../../engine/weight-files.ts';
import type { HubClient } from './client.ts';
import type { Answer } from '../network/http.ts';
import { unlikeTheHub } from './errors.ts';
import { fileAddress, isCommit } from '../../hub/addresses.ts';
import { HubRefusal } from '../../hub/errors.ts';
import type { HubSubject } from '../../hub/errors.ts';
import type { RemoteFile } from './repository.ts';
import { CONFIG, readShardNames } from './selection.ts';

const PATIENCE = 3;
/** The index and the largest tokenizers stay below this; only for them can a length be found out by reading. */
const MAX_SMALL_BYTES = 64 * 2 ** 20;
/** The beginning of the stand-in for a commit, if a mirror does not name one. */
const STAND_IN = '00000000';
/** The beginning of the names of blobs whose hash is not known. */
const UNVERIFIED = 'unverified-';

/** What a mirror has of a model. */
export interface MirrorListing {
  /** The commit, or a stand-in for it that changes when a file does. */
  readonly commit: string;
  readonly files: ReadonlyMap<string, RemoteFile>;
}

/** Whether a snapshot's name is a stand-in rather than a commit. */
export function isStandIn(commit: string): boolean {
  return commit.startsWith(STAND_IN);
}

/**
 * Finds out what a server has that holds a model's files under the hub's addresses and cannot list them: it is asked for
 * each name that a model may have.
 * @returns undefined if it has no config.json there
 * @throws HubError for other refusals, HubUnreachableError without an answer
 */
export async function listPlainMirror(
  client: HubClient,
  subject: HubSubject,
): Promise<MirrorListing | undefined> {
  const files = new Map<string, RemoteFile>();
  let commit: string | undefined;
  const look = async (name: string): Promise<boolean> => {
    const found = await probe(client, subject, name);
    if (!found) return false;
    files.set(name, found.file);
    commit ??= found.commit;
    return true;
  };
  if (!(await look(CONFIG))) return undefined;
  let weights: string | undefined;
  for (const name of weightCandidates) {
    if (weights === undefined && (await look(name))) weights = name;
  }
  if (weights?.endsWith('.json')) {
    const text = new TextDecoder().decode(await readSmall(client, subject, weights));
    const where = `${weights} of ${subject.repository} at ${subject.revision}`;
    for (const shard of readShardNames(text, where)) await look(shard);
  }
  // The first is tokenizer.json; with it, the older form is not needed.
  for (const name of tokenizerFiles) {
    if (chooseTokenizerFiles((other) => other === name || files.has(other)).includes(name)) await look(name);
  }
  const words = [...files.values()].map(({ path, etag }) => `${path} ${etag}\n`).join('');
  commit ??= STAND_IN + createHash('sha1').update(words).digest('hex').slice(STAND_IN.length);
  return { commit, files };
}

/** What the server says of a file, by the headers that the hub sends along; undefined if it has none of that name. */
async function probe(
  client: HubClient,
  subject: HubSubject,
  name: string,
): Promise<{ readonly file: RemoteFile; readonly commit: string | undefined } | undefined> {
  const words = new Map<string, string>();
  const answer = await client
    .patiently({ ...subject, file: name }, PATIENCE, () =>
      client.open(
        fileAddress(client.settings.endpoint, subject.repository, subject.revision, name),
        subject,
        {},
        (headers) => {
          for (const word of ['x-repo-commit', 'x-linked-etag', 'x-linked-size', 'etag']) {
            const value = headers.get(word);
            if (value !== null && (word === 'etag' || !words.has(word))) words.set(word, value);
          }
        },
      ),
    )
    .catch((error: unknown) => {
      if (error instanceof HubRefusal && [403, 404, 410].includes(error.status)) return undefined;
      throw error;
    });
  if (!answer) return undefined;
  // A login page answers to every address; but some servers call every file a page.
  const isCalledPage = /text\/html/i.test(answer.headers.get('content-type') ?? '');
  if (isCalledPage && (await beginsAsPage(answer))) throw unlikeTheHub(client.settings.endpoint);
  answer.discard();
  const stated =
    words.get('x-linked-size') ?? (answer.isCompressed ? null : answer.headers.get('content-length'));
  const size = stated === null ? (await readSmall(client, subject, name)).length : Number(stated);
  if (!Number.isSafeInteger(size) || size < 0) throw unlikeTheHub(client.settings.endpoint);
  const sha = words.get('x-repo-commit') ?? '';
  const commit = isCommit(sha) ? sha : undefined;
  const tag = (words.get('x-linked-etag') ?? words.get('etag') ?? '').replace(/^W\/|"/g, '');
  // Other servers' tags may look like hashes, too; only one that names commits speaks the hub's language.
  if (commit !== undefined && /^[0-9a-f]{64}$/.test(tag))
    return { file: { path: name, size, etag: tag, algorithm: 'sha256' }, commit };
  if (commit !== undefined && isCommit(tag))
    return { file: { path: name, size, etag: tag, algorithm: 'git-sha1' }, commit };
  const known = [answer.address.href, tag, String(size), answer.headers.get('last-modified') ?? ''];
  // Unlike a hash of the content, which names the blobs of others.
  const etag = `${UNVERIFIED}${createHash('sha256').update(known.join('\n')).digest('hex')}`;
  return { file: { path: name, size, etag, algorithm: undefined, revision: subject.revision }, commit };
}

async function beginsAsPage(answer: Answer): Promise<boolean> {
  for await (const chunk of answer.chunks()) {
    return /^\s*<[a-z!?]/i.test(Buffer.from(chunk.subarray(0, 64)).toString('latin1'));
  }
  return true; // an empty page
}

async function readSmall(
  client: HubClient,
  subject: HubSubject,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  return client.patiently({ ...subject, file: name }, PATIENCE, async () =>
    client.readWhole(
      await client.open(
        fileAddress(client.settings.endpoint, subject.repository, subject.revision, name),
        subject,
      ),
      MAX_SMALL_BYTES,
    ),
  );
}
