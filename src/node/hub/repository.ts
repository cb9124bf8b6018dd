import { listFiles, modelInfo } from '@huggingface/hub';
import type { HubClient } from './client.ts';
import { HubError, HubUnreachableError, hostOf } from './errors.ts';
import type { Subject } from './errors.ts';
import { BESIDE_WEIGHTS, CONFIG, INDEX, SINGLE } from './selection.ts';

/** A file of a repository at a commit, and the hash that its bytes must have. */
export interface RemoteFile {
  readonly path: string;
  /** Length in bytes. */
  readonly size: number;
  /** SHA-256 of the content for LFS files, else git's SHA-1 of the blob; both are the hub's ETag, too. */
  readonly etag: string;
  readonly algorithm: 'sha256' | 'git-sha1';
}

const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const PATIENCE = 3;

/** Whether a revision is a commit's full name, which no push can move. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision);
}

/**
 * Asks the hub which commit a branch, tag or commit stands for.
 * @param patience failed connections after which to give up.
 * @throws HubUnreachableError without an answer, HubError for a refusal or nonsense.
 */
export async function resolveCommit(
  client: HubClient,
  subject: Subject,
  patience = PATIENCE,
): Promise<string> {
  const info = await understood(client, () =>
    modelInfo({
      name: subject.repository,
      revision: subject.revision,
      hubUrl: client.settings.endpoint,
      additionalFields: ['sha'],
      fetch: client.fetcher(subject, patience),
    }),
  );
  if (!isCommit(String(info.sha))) throw unlikeTheHub(client);
  return info.sha;
}

/**
 * Lists the files of a commit.
 * @throws HubUnreachableError without an answer, HubError for a refusal or nonsense.
 */
export async function listRemoteFiles(
  client: HubClient,
  subject: Subject,
  commit: string,
): Promise<Map<string, RemoteFile>> {
  const files = new Map<string, RemoteFile>();
  await understood(client, async () => {
    const entries = listFiles({
      repo: { type: 'model', name: subject.repository },
      revision: commit,
      recursive: true,
      hubUrl: client.settings.endpoint,
      fetch: client.fetcher(subject, PATIENCE),
    });
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file') continue;
      const etag = lfs?.oid ?? oid ?? '';
      if (!(lfs ? SHA256 : COMMIT).test(etag)) throw unlikeTheHub(client);
      files.set(path, { path, size: lfs?.size ?? size, etag, algorithm: lfs ? 'sha256' : 'git-sha1' });
    }
  });
  return files;
}

/**
 * The weights' entry point (single file or index) and the small files beside it.
 * @throws HubError if the repository has no config.json or no safetensors, saying where there are some.
 */
export async function selectFiles(
  client: HubClient,
  subject: Subject,
  files: ReadonlyMap<string, RemoteFile>,
): Promise<{ readonly weights: RemoteFile; readonly beside: RemoteFile[] }> {
  const place = `${subject.repository} at ${subject.revision}`;
  if (!files.has(CONFIG)) {
    throw new HubError(
      `${place} has no config.json; name a model in the layout of Hugging Face transformers`,
    );
  }
  const weights = files.get(SINGLE) ?? files.get(INDEX); // of both, transformers takes the single file, too
  if (weights === undefined) throw await withoutSafetensors(client, subject, [...files.keys()]);
  return { weights, beside: BESIDE_WEIGHTS.flatMap((name) => files.get(name) ?? []) };
}

/** The error for a model that has weights only in other formats: the hub's own converter may have offered some. */
async function withoutSafetensors(
  client: HubClient,
  subject: Subject,
  names: readonly string[],
): Promise<HubError> {
  const { repository, revision } = subject;
  const other = names.find((name) => /\.(bin|pt|pth|h5|msgpack|ckpt)$/.test(name));
  const has =
    other === undefined ? 'no weights' : `${other} and no safetensors, the one format that Laminar reads`;
  const converted = await findConversion(client, subject).catch(() => undefined);
  const remedy =
    converted === undefined
      ? `look for one with safetensors among ${client.settings.endpoint}/${repository}/discussions (a pull request's number N is --revision refs/pr/N)`
      : `use --revision ${converted}, where the hub's converter has put them`;
  return new HubError(`${repository} at ${revision} has ${has}; ${remedy}`);
}

/** The pull request that adds model.safetensors, as refs/pr/N. */
async function findConversion(client: HubClient, subject: Subject): Promise<string | undefined> {
  const address = `${client.settings.endpoint}/api/models/${subject.repository}/discussions?type=pull_request`;
  const answer: unknown = await (await client.fetcher(subject, 0)(address)).json();
  const discussions: unknown = Reflect.get(Object(answer), 'discussions');
  if (!Array.isArray(discussions)) return undefined;
  for (const discussion of discussions.slice(0, 50)) {
    const { num, title, isPullRequest } = Object(discussion) as Record<string, unknown>;
    if (!isPullRequest || !Number.isInteger(num) || !/safetensors/i.test(String(title))) continue;
    const revision = `refs/pr/${String(num)}`;
    const commit = await resolveCommit(client, { ...subject, revision }, 0);
    const files = await listRemoteFiles(client, { ...subject, revision }, commit);
    if (files.has(INDEX) || files.has(SINGLE)) return revision;
  }
  return undefined;
}

/** Keeps what our own requests throw; what the library makes of a strange answer becomes one line. */
async function understood<T>(client: HubClient, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    client.options.signal?.throwIfAborted();
    if (error instanceof HubError) throw error;
    throw unlikeTheHub(client, error);
  }
}

function unlikeTheHub(client: HubClient, cause?: unknown): HubError {
  return new HubUnreachableError(
    `${hostOf(client.settings.endpoint)} does not answer as the hub does; check HF_ENDPOINT, or whether this network wants a login first`,
    { cause },
  );
}
