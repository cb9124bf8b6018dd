import { isJsonObject } from '../engine/files.ts';
import { liesInside } from '../engine/weight-files.ts';
import { HUB, fileAddress, isCommit, revisionAddress } from '../hub/addresses.ts';
import { refusal, unlikeTheHub, unreachable } from '../hub/errors.ts';
import type { HubSubject } from '../hub/errors.ts';
import { readHubReference } from '../hub/reference.ts';
import { readBounded } from './bounded-answer.ts';
import { listedHash } from './content-hash.ts';
import type { ListedHash } from './content-hash.ts';
import { KeptBlocks } from './kept-blocks.ts';

/** A model on the hub at one commit. */
export interface HubModel {
  /** NAME or ORGANISATION/NAME. */
  readonly id: string;
  /** The commit, 40 hexadecimal digits. */
  readonly revision: string;
  /** The address that file names follow. */
  readonly base: string;
  /** Every file of the model, and its bytes where the hub tells. */
  readonly sizes: ReadonlyMap<string, number | undefined>;
  /** What the files' bytes must come to, where the hub tells. */
  readonly hashes: ReadonlyMap<string, ListedHash>;
}

/** A listing of every file of the largest repositories is far smaller. */
const MAX_LISTING_BYTES = 32 * 2 ** 20;

/**
 * Resolves a branch, tag or commit and lists the files; without network, as it was the last time.
 * @param reference an id, or the address of a model's page
 * @param chosenRevision is used if the reference names none
 * @throws InputError if the reference cannot be one, FileError if the hub does not answer or has no such model
 */
export async function findOnHub(
  reference: string,
  chosenRevision: string,
  signal: AbortSignal,
): Promise<HubModel> {
  const { id, revision = chosenRevision } = readHubReference(reference);
  const subject: HubSubject = { repository: id, revision };
  const kept = await KeptBlocks.open('model', 'names on the hub');
  const key = `${id}@${revision}`;
  const address = `${revisionAddress(HUB, id, revision)}?blobs=true`;
  const response = await fetch(address, { signal, credentials: 'omit' }).catch(() => undefined);
  // Too many requests, or a failure of the hub, say nothing about the model.
  if (response && response.status >= 400 && response.status < 500 && response.status !== 429)
    throw refusal(response, subject, { endpoint: HUB, tokenSource: null });
  const listing = response?.ok ? await readListing(response) : undefined;
  signal.throwIfAborted();
  if (listing === undefined) {
    const last = await kept.get(key);
    if (last) return parseListing(id, new TextDecoder().decode(last));
    throw unreachable(
      subject,
      response?.ok === false ? `the hub answered ${response.status}` : 'the hub cannot be reached',
      'check the network, or choose a bundled model or a folder',
    );
  }
  const model = parseListing(id, listing);
  await kept.put(key, new TextEncoder().encode(listing));
  return model;
}

/** @param listing what the hub's API says of a revision: {"sha", "siblings": [{"rfilename", "size"}]} */
function parseListing(id: string, listing: string): HubModel {
  const failure = unlikeTheHub(HUB, 'check whether this network wants a login first');
  let json: unknown;
  try {
    json = JSON.parse(listing);
  } catch {
    throw failure;
  }
  if (!isJsonObject(json)) throw failure;
  const { sha, siblings } = json;
  if (typeof sha !== 'string' || !isCommit(sha) || !Array.isArray(siblings)) throw failure;
  const sizes = new Map<string, number | undefined>();
  const hashes = new Map<string, ListedHash>();
  for (const file of siblings as unknown[]) {
    if (!isJsonObject(file) || typeof file['rfilename'] !== 'string') throw failure;
    if (!liesInside(file['rfilename'])) continue;
    sizes.set(file['rfilename'], typeof file['size'] === 'number' ? file['size'] : undefined);
    const hash = listedHash(file);
    if (hash) hashes.set(file['rfilename'], hash);
  }
  return { id, revision: sha, base: fileAddress(HUB, id, sha, ''), sizes, hashes };
}

/** The text of an answer; undefined if it breaks off or is too large to be a listing. */
async function readListing(response: Response): Promise<string | undefined> {
  const bytes = await readBounded(response, MAX_LISTING_BYTES).catch(() => undefined);
  return bytes && new TextDecoder().decode(bytes);
}
