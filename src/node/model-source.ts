import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { bundledModels as repositoryModels } from '../analysis/bundled.ts';
import { option, wording } from '../engine/error-words.ts';
import { FileError, InputError } from '../engine/errors.ts';
import { meantNames } from '../engine/near-names.ts';
import { HubError, HubUnreachableError } from '../hub/errors.ts';
import { isHubId, namesTheHub, parseHubReference } from '../hub/reference.ts';
import { bundledModels, bundledPath, isBundledModel } from './bundled.ts';
import { resolveModelFolder } from './hub.ts';
import { readHubSettings } from './hub/environment.ts';
import { publishedIds, publishedNames } from './published-shapes.ts';
import type { Terminal } from './terminal.ts';

/** Where a model's files lie, and what a report calls it. */
export interface ModelSource {
  /** A folder's base name, or the id on the hub. */
  readonly id: string;
  readonly folder: string;
  /** The commit on the hub; null for a folder. */
  readonly revision: string | null;
}

/**
 * Finds the model that MODEL names: a folder, else one of the bundled models, else one on the hub, which is fetched.
 * @param revision the value of --revision
 * @param thorough whether a cached copy is compared with the hub's listing
 * @throws InputError if a revision is asked of a folder
 * @throws FileError if there is no such folder, it holds no model, the npm package lacks it, or it cannot be fetched
 */
export async function findModel(
  reference: string,
  options: {
    revision: string | undefined;
    signal: AbortSignal | undefined;
    terminal: Pick<Terminal, 'notice' | 'stage'>;
    thorough?: boolean;
    /** Whether every cached file is compared with its hash. */
    verify?: boolean | undefined;
  },
): Promise<ModelSource> {
  const { revision, signal, terminal, thorough, verify } = options;
  const onNotice = (line: string) => {
    terminal.notice(line);
  };
  const isFolder =
    !namesTheHub(reference) &&
    (await stat(reference).then(
      (status) => status.isDirectory(),
      () => false,
    ));
  const folder = isFolder
    ? reference
    : isBundledModel(reference)
      ? bundledPath(`weights/${reference}`)
      : undefined;
  if (folder !== undefined) {
    if (revision !== undefined) {
      throw new InputError(
        wording`${option('revision')} ${revision}: ${reference} is a folder; only models of the hub have revisions${orTheHub(reference)}`,
        { code: 'option-ambiguous', subject: { kind: 'option', name: 'revision' } },
      );
    }
    await checkHoldsModel(folder, reference);
    if (isFolder && publishedNames.includes(reference)) {
      onNotice(`${reference} is a folder here and is used; hf:${reference} names the hub's model`);
    }
    return { id: basename(resolve(folder)), folder, revision: null };
  }
  if (repositoryModels.some((name) => name === reference)) throw notInPackage(reference);
  const { endpoint } = await readHubSettings(process.env);
  const id = parseHubReference(reference, endpoint)?.id ?? reference;
  const onFetched = terminal.stage('fetch', 'bytes');
  const found = await resolveModelFolder(reference, {
    revision,
    signal,
    thorough,
    verify,
    onProgress: ({ bytesDone, bytesTotal }) => {
      onFetched(bytesDone, bytesTotal);
    },
    onNotice,
  }).catch((error: unknown) => {
    throw withMeantModel(error, id);
  });
  return { id, ...found };
}

/** A model of the repository that the npm package leaves out, to stay small. */
function notInPackage(reference: string): FileError {
  const here = bundledModels();
  return new FileError(
    `${reference}: the npm package does not contain this model, only the project's repository does; ` +
      (here.length > 0 ? `run ${here.join(' or ')}, which is here, or ` : '') +
      `give the folder weights/${reference} of a copy of the repository${orTheHub(reference)}`,
  );
}

/** The hub's refusal, with the model that may have been meant. */
function withMeantModel(error: unknown, id: string): unknown {
  if (!(error instanceof HubError) || error instanceof HubUnreachableError) return error;
  /** Names that a mistyped name may mean: the bundled models, and the most common ones. */
  const knownModels = [...bundledModels(), ...publishedIds];
  if (knownModels.includes(id)) return error;
  const meant = meantNames(id, knownModels).slice(0, 3);
  if (meant.length === 0) return error;
  const { message, code, subject } = error;
  return new FileError(`${message}; did you mean ${meant.join(' or ')}?`, {
    code,
    ...(subject && { subject }),
    cause: error,
  });
}

/** @throws FileError if a folder does not hold any part of a model, so that another one must be meant */
async function checkHoldsModel(folder: string, reference: string): Promise<void> {
  const names = await readdir(folder).catch(() => ['config.json']); // opening it gives a better error
  if (names.includes('config.json')) return;
  if (names.includes('adapter_config.json')) return; // opening it says what an adapter needs
  const inside = await Promise.all(
    names.map(async (name) => ((await isFile(join(folder, name, 'config.json'))) ? name : undefined)),
  );
  const model = inside.find((name) => name !== undefined);
  const remedy =
    model === undefined
      ? `give the folder that holds config.json and the weights`
      : `is ${join(reference, model)} meant?`;
  throw FileError.at(reference, `the folder has no config.json; ${remedy}${orTheHub(reference)}`);
}

/** How to name the hub's model that a folder hides. */
function orTheHub(reference: string): string {
  return isHubId(reference) ? `; hf:${reference} names the hub's model` : '';
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (status) => status.isFile(),
    () => false,
  );
}
