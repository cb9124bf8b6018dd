import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FileError, LaminarError } from '../engine/errors.ts';
import { foreignLine } from '../engine/message.ts';
import { isCommit } from '../hub/addresses.ts';
import { HubError, HubRefusal, HubUnreachableError, UnlikeTheHubError, hostOf } from '../hub/errors.ts';
import type { HubSubject } from '../hub/errors.ts';
import { namesTheHub, parseHubReference } from '../hub/reference.ts';
import { chooseRevision } from '../hub/revision.ts';
import { ModelCache } from './hub/cache.ts';
import { HubClient } from './hub/client.ts';
import { readHubSettings } from './hub/environment.ts';
import { cacheFault, isFileSystemError } from './hub/errors.ts';
import { fetchMissing } from './hub/fetch-missing.ts';
import type { FetchProgress, Fetching } from './hub/fetch-missing.ts';
import { isStandIn, listPlainMirror } from './hub/plain-mirror.ts';
import type { MirrorListing } from './hub/plain-mirror.ts';
import { listRemoteFiles, resolveCommit } from './hub/repository.ts';
import type { Environment } from './network/proxy.ts';
import { inspectSnapshot } from './hub/selection.ts';
import type { Holding } from './hub/selection.ts';
import { isIntact } from './hub/verified.ts';

export { isHubId } from '../hub/reference.ts';
export type { FetchProgress } from './hub/fetch-missing.ts';
export { HubError, HubUnreachableError } from '../hub/errors.ts';

export interface ResolveModelOptions {
  /** Branch, tag or commit; main if absent. */
  readonly revision?: string | undefined;
  /** Stops fetching; what has arrived stays in the cache for the next attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Called at most every 50 ms, and when a file is complete; never if all is in the cache. */
  readonly onProgress?: ((progress: FetchProgress) => void) | undefined;
  /** Takes one line on what the user should know but that is not an error: a retry, a wait, a stand-in. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Compares a cached copy with the hub's listing, even if it seems to be whole. */
  readonly thorough?: boolean | undefined;
  /** Compares every cached file with its hash, those that were found to be right before, too. */
  readonly verify?: boolean | undefined;
  /** The environment variables to honour; process.env if absent. */
  readonly environment?: Environment | undefined;
  /** Milliseconds before the first repetition of a failed request; doubles with each; 1000 if absent. */
  readonly retryDelay?: number | undefined;
}

/** A model's folder, and the commit it was fetched at: null for a folder that the user named, and for plain mirrors. */
export interface ModelFolder {
  readonly folder: string;
  readonly revision: string | null;
}

/**
 * Finds a model's folder: one that lies here is used as it is; the files of a hub id are fetched, if they are not in
 * the cache that Python's huggingface_hub uses: config.json, tokenizer.json, tokenizer_config.json, and
 * model.safetensors or the index and the shards that it names. The revision is resolved to a commit first. Without a
 * network, or with HF_HUB_OFFLINE, a cached copy is used.
 * @throws FileError if there is no such folder; HubError (a FileError) if the model cannot be fetched;
 * FormatError if its index is broken; InputError for an impossible revision or environment; the signal's
 * reason if it is aborted.
 */
export async function resolveModelFolder(
  reference: string,
  options: ResolveModelOptions = {},
): Promise<ModelFolder> {
  const folder = await findFolder(reference);
  if (folder !== undefined) {
    if (options.revision !== undefined) {
      options.onNotice?.(
        `${reference} is a folder here, and only models of the hub have revisions: ${options.revision} does not apply to it`,
      );
    }
    return { folder, revision: null };
  }
  const settings = await readHubSettings(options.environment ?? process.env);
  const named = parseHubReference(reference, settings.endpoint);
  if (!named) {
    const shown = reference.trim() === '' ? JSON.stringify(reference) : reference;
    throw new FileError(`no such model folder ${shown}; give a folder or a hub id such as gpt2-xl`, {
      code: 'model-unknown',
      subject: { kind: 'file', name: reference },
    });
  }
  const subject = {
    repository: named.id,
    revision: chooseRevision(named.revision, options.revision, reference),
  };
  options.signal?.throwIfAborted();
  const client = new HubClient(settings, {
    signal: options.signal,
    onNotice: options.onNotice ?? (() => undefined),
    retryDelay: options.retryDelay ?? 1000,
  });
  const cache = new ModelCache(settings.cacheFolder, named.id);
  try {
    const commit = await resolveSnapshot({ client, cache, subject, ...options });
    return { folder: cache.snapshot(commit), revision: isStandIn(commit) ? null : commit };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (isFileSystemError(error)) throw cacheFault(error, settings.cacheFolder);
    if (error instanceof LaminarError) throw error;
    throw HubError.about(
      subject,
      `cannot fetch ${named.id} at ${subject.revision}: ${foreignLine(String(error))}; report this as a defect of Laminar`,
      { cause: error },
    );
  } finally {
    await client.close();
  }
}

/** The folder that a reference names; undefined if it can only be a model of the hub. */
async function findFolder(reference: string): Promise<string | undefined> {
  const found = namesTheHub(reference) ? undefined : await stat(reference).catch(() => undefined);
  if (!found) return undefined;
  if (found.isDirectory()) return resolve(reference);
  throw FileError.at(reference, 'is a file; give the folder that holds config.json and the weights');
}

/** A model to bring into the cache, and how. */
interface Resolving extends Fetching {
  readonly thorough?: boolean | undefined;
  readonly verify?: boolean | undefined;
}

/** Makes sure that the cache holds a revision of a model; returns its commit. */
async function resolveSnapshot(fetching: Resolving): Promise<string> {
  const { client, cache, subject, thorough = false } = fetching;
  const { repository, revision } = subject;
  const { endpoint, cacheFolder, offline } = client.settings;
  const noted = await cache.readReference(revision);
  const known = noted ?? (await cache.guessCommit(revision));
  const held = known === undefined ? undefined : await inspect(fetching, known);
  const useCached = (commit: string): string => {
    if (noted === undefined) {
      client.options.onNotice(
        `the cache does not say which commit ${revision} of ${repository} is: using ${commit.slice(0, 12)}, which it holds`,
      );
    }
    return commit;
  };
  // A commit never changes, so there is nothing to ask.
  if (known !== undefined && isCommit(revision) && held?.whole && !thorough) return known;
  const usable = known !== undefined && held !== undefined && held.lack === undefined;
  if (offline) {
    if (usable) return useCached(known);
    const lack = held ? `the cached copy ${held.lack ?? 'lacks nothing'}` : 'there is no cached copy of it';
    throw HubError.about(
      subject,
      `cannot fetch ${repository} at ${revision}: HF_HUB_OFFLINE is set and ${lack} in ${cacheFolder}; fetch it once without`,
      { code: 'hub-offline' },
    );
  }
  try {
    const asked = await askForCommit(client, subject, usable ? 1 : undefined);
    let { commit } = asked;
    let holding = commit === known ? held : await inspect(fetching, commit);
    if (!holding?.whole || thorough) {
      const listing = 'files' in asked ? asked : await listFiles(client, subject, commit);
      if (listing.commit !== commit) holding = await inspect(fetching, listing.commit);
      ({ commit } = listing);
      await fetchMissing(fetching, commit, listing.files, holding?.damaged ?? []);
    }
    await cache.writeReference(revision, commit).catch((error: unknown) => {
      // All is there to run; only the next run without a network will miss the note.
      client.options.onNotice(`cannot note ${revision} in the cache: ${(error as Error).message}`);
    });
    return commit;
  } catch (error) {
    if (!usable || !(error instanceof HubUnreachableError)) throw error;
    client.options.onNotice(
      `${hostOf(endpoint)} gives no answer: using the cached ${repository} at ${known.slice(0, 12)}`,
    );
    return useCached(known);
  }
}

/** The commit of a revision; from a mirror that can only hand out files, also the files that it has. */
async function askForCommit(
  client: HubClient,
  subject: HubSubject,
  patience: number | undefined,
): Promise<MirrorListing | { readonly commit: string }> {
  try {
    return { commit: await resolveCommit(client, subject, patience) };
  } catch (error) {
    return await askForEach(client, [subject], error);
  }
}

/** The files of a commit. A mirror may tell commits and list no files; it may have them under either name. */
async function listFiles(client: HubClient, subject: HubSubject, commit: string): Promise<MirrorListing> {
  try {
    return { commit, files: await listRemoteFiles(client, subject, commit) };
  } catch (error) {
    // A listing that is nonsense is not taken for none.
    const subjects = error instanceof HubRefusal ? [{ ...subject, revision: commit }, subject] : [];
    return await askForEach(client, subjects, error);
  }
}

/** Asks a server that is not quite a hub for one file after another. @throws `error` if that finds no model */
async function askForEach(
  client: HubClient,
  subjects: readonly HubSubject[],
  error: unknown,
): Promise<MirrorListing> {
  const mayBePlain =
    error instanceof UnlikeTheHubError ||
    (error instanceof HubRefusal && !error.isHub && [403, 404, 405, 410, 501].includes(error.status));
  for (const subject of mayBePlain ? subjects : []) {
    const listing = await listPlainMirror(client, subject).catch(() => undefined);
    client.options.signal?.throwIfAborted();
    if (listing) return listing;
  }
  throw error;
}

function inspect({ cache, client, verify }: Resolving, commit: string): Promise<Holding> {
  const options = { verify, ...client.options };
  return inspectSnapshot({
    list: () => cache.list(commit),
    stateOf: async (name) => {
      const state = await cache.stateOf(commit, name);
      if (state !== 'sound') return state;
      return (await isIntact(cache, join(cache.snapshot(commit), name), options)) ? 'sound' : 'damaged';
    },
    read: (name) => cache.read(commit, name),
  });
}
