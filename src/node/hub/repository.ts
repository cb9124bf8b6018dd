import { budgets } from '../../engine/budgets.ts';
import { option, wording } from '../../engine/error-words.ts';
import { listNames } from '../../engine/message.ts';
import { isJsonObject } from '../../engine/files.ts';
import { isCommit, revisionAddress } from '../../hub/addresses.ts';
import { HubError } from '../../hub/errors.ts';
import type { HubSubject } from '../../hub/errors.ts';
import { liesInside } from '../../engine/weight-files.ts';
import type { WeightFiles } from '../../engine/weight-files.ts';
import type { HubClient } from './client.ts';
import { unlikeTheHub } from './errors.ts';
import { CONFIG, besideWeights, chooseWeights, isChoice } from './selection.ts';

/** A file of a repository at a commit, and the hash that its bytes must have. */
export interface RemoteFile {
  readonly path: string;
  /** Length in bytes. */
  readonly size: number;
  /** What the cache names its blob: the hash for files of the hub; for those of a plain mirror, a name made of its headers. */
  readonly etag: string;
  /** What `etag` is: SHA-256 of the content for LFS files, git's SHA-1 of the blob for others; undefined if no hash. */
  readonly algorithm: 'sha256' | 'git-sha1' | undefined;
  /** What to ask for in place of the commit, where the server does not know commits. */
  readonly revision?: string;
}

const SHA1 = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const PATIENCE = 3;
/** Pages of a listing, 1000 files each. */
const MAX_PAGES = 100;

/**
 * Asks the hub which commit a branch, tag or commit stands for.
 * @param patience failed connections after which to give up.
 * @throws HubUnreachableError without an answer, HubError for a refusal or an answer that is not the hub's.
 */
export async function resolveCommit(
  client: HubClient,
  subject: HubSubject,
  patience = PATIENCE,
): Promise<string> {
  const { endpoint } = client.settings;
  const address = revisionAddress(endpoint, subject.repository, subject.revision);
  const { value } = await client.getJson(address, subject, patience);
  const sha = isJsonObject(value) ? value['sha'] : undefined;
  if (typeof sha !== 'string' || !isCommit(sha)) throw unlikeTheHub(endpoint);
  return sha;
}

/**
 * Lists the files of a commit.
 * @throws HubUnreachableError without an answer, HubError for a refusal or nonsense.
 */
export async function listRemoteFiles(
  client: HubClient,
  subject: HubSubject,
  commit: string,
): Promise<Map<string, RemoteFile>> {
  const { endpoint } = client.settings;
  const files = new Map<string, RemoteFile>();
  let address: string | undefined =
    `${endpoint}/api/models/${subject.repository}/tree/${commit}?recursive=true`;
  let total = 0;
  for (let page = 0; address !== undefined; page++) {
    const { value, next, bytes }: Awaited<ReturnType<HubClient['getJson']>> = await client.getJson(
      address,
      subject,
      PATIENCE,
    );
    total += bytes;
    const isEndless = page === MAX_PAGES || total > budgets.hubListing;
    if (isEndless || !Array.isArray(value)) throw unlikeTheHub(endpoint);
    for (const entry of value as unknown[]) {
      if (isJsonObject(entry) && entry['type'] !== 'file') continue;
      const file = parseEntry(entry);
      if (!file) throw unlikeTheHub(endpoint);
      files.set(file.path, file);
    }
    address = next;
  }
  return files;
}

/** A file of a listing: {path, size, oid} in git, with {lfs: {oid, size}} in LFS; undefined if it cannot be one. */
function parseEntry(entry: unknown): RemoteFile | undefined {
  if (!isJsonObject(entry) || typeof entry['path'] !== 'string' || !liesInside(entry['path']))
    return undefined;
  const lfs = isJsonObject(entry['lfs']) ? entry['lfs'] : undefined;
  const etag = lfs ? lfs['oid'] : entry['oid'];
  const size = lfs?.['size'] ?? entry['size'];
  if (typeof etag !== 'string' || !(lfs ? SHA256 : SHA1).test(etag)) return undefined;
  if (!Number.isSafeInteger(size) || Number(size) < 0) return undefined;
  return { path: entry['path'], size: Number(size), etag, algorithm: lfs ? 'sha256' : 'git-sha1' };
}

/**
 * The weights (files, or the index that names them) and the small files beside them.
 * @throws HubError if the repository has no config.json or no safetensors, saying where there are some.
 */
export async function selectFiles(
  client: HubClient,
  subject: HubSubject,
  files: ReadonlyMap<string, RemoteFile>,
): Promise<{ readonly weights: WeightFiles; readonly beside: RemoteFile[] }> {
  const place = `${subject.repository} at ${subject.revision}`;
  if (!files.has(CONFIG)) {
    throw HubError.about(
      subject,
      `${place} has no config.json; name a model in the layout of Hugging Face transformers`,
      { code: 'config-missing' },
    );
  }
  const weights = chooseWeights(files.keys());
  if (weights === undefined) throw await withoutSafetensors(client, subject, [...files.keys()]);
  if (!isChoice(weights)) {
    throw HubError.about(
      subject,
      wording`${place} has several safetensors files (${listNames(weights, 5)}) and no index of them; choose another ${option('revision')} or model`,
      { code: 'weights-ambiguous' },
    );
  }
  return {
    weights,
    beside: besideWeights((name) => files.has(name)).flatMap((name) => files.get(name) ?? []),
  };
}

/** The error for a model that has weights only in other formats: the hub's own converter may have offered some. */
async function withoutSafetensors(
  client: HubClient,
  subject: HubSubject,
  names: readonly string[],
): Promise<HubError> {
  const { repository, revision } = subject;
  const other = names.find((name) => /\.(bin|pt|pth|h5|msgpack|ckpt)$/.test(name));
  const has =
    other === undefined ? 'no weights' : `${other} and no safetensors, the one format that Laminar reads`;
  const converted = await findConversion(client, subject).catch(() => undefined);
  const remedy =
    converted === undefined
      ? wording`look for one with safetensors among ${client.settings.endpoint}/${repository}/discussions (a pull request's number N is ${option('revision')} refs/pr/N)`
      : wording`use ${option('revision')} ${converted}, where the hub's converter has put them`;
  return HubError.about(subject, wording`${repository} at ${revision} has ${has}; ${remedy}`, {
    code: 'weights-missing',
  });
}

/** The pull request that adds model.safetensors, as refs/pr/N. */
async function findConversion(client: HubClient, subject: HubSubject): Promise<string | undefined> {
  const address = `${client.settings.endpoint}/api/models/${subject.repository}/discussions?type=pull_request`;
  const { value } = await client.getJson(address, subject, 0);
  const discussions = isJsonObject(value) ? value['discussions'] : undefined;
  if (!Array.isArray(discussions)) return undefined;
  for (const discussion of discussions.slice(0, 50) as unknown[]) {
    if (!isJsonObject(discussion)) continue;
    const { num, title, isPullRequest } = discussion;
    if (!isPullRequest || !Number.isInteger(num) || !/safetensors/i.test(String(title))) continue;
    const revision = `refs/pr/${String(num)}`;
    const commit = await resolveCommit(client, { ...subject, revision }, 0);
    const files = await listRemoteFiles(client, { ...subject, revision }, commit);
    if (isChoice(chooseWeights(files.keys()))) return revision;
  }
  return undefined;
}
