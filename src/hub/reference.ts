import { InputError } from '../engine/errors.ts';
import type { ErrorDetails } from '../engine/errors.ts';

/** A model on the hub, as a user named it. */
export interface HubReference {
  /** NAME or ORGANISATION/NAME. */
  readonly id: string;
  /** Branch, tag or commit, if the reference names one. */
  readonly revision: string | undefined;
}

const REPOSITORY_PART = /^[A-Za-z0-9_](?:[\w.-]*[A-Za-z0-9_])?$/;
const HUB_HOSTS = ['huggingface.co', 'hf.co'];
/** What stands between a repository's name and a revision in the addresses of its pages. */
const BEFORE_REVISION = new Set(['tree', 'blob', 'resolve', 'raw', 'commit', 'commits', 'revision', 'blame']);
/** What else can follow a repository's name. */
const OTHER_PAGES = new Set(['discussions', 'edit', 'settings']);
const NOT_MODELS: Readonly<Record<string, string>> = {
  datasets: 'a data set',
  spaces: 'a space',
  collections: 'a collection',
  papers: 'a paper',
  docs: 'a page of documentation',
  blog: 'an article',
};

const unknownModel = {
  code: 'model-unknown',
  subject: { kind: 'option', name: 'model' },
} as const satisfies ErrorDetails;

/**
 * Whether a text can be a model's name on the hub: NAME or ORGANISATION/NAME. (The hub does not allow "--" and "..",
 * which git and Python's cache cannot handle.)
 */
export function isHubId(text: string): boolean {
  const parts = text.split('/');
  return (
    parts.length <= 2 &&
    text.length <= 96 &&
    !/--|\.\.|\.git$/.test(text) &&
    parts.every((part) => REPOSITORY_PART.test(part))
  );
}

/** Whether a text names the hub itself, so that no folder can be meant: an address, or hf:ID. */
export function namesTheHub(text: string): boolean {
  return /^(https?|hf):/i.test(text) || /^git@[\w.]+:/.test(text);
}

/**
 * Reads a model's name as people write and paste it: ID, ID@REVISION, hf:ID, and the addresses of a model's pages and
 * files (https://huggingface.co/ID, hf.co/ID/tree/REVISION, …/resolve/REVISION/config.json).
 * @param endpoint the address of the hub or mirror that is used, whose pages are understood, too
 * @returns undefined if the text cannot name a model of the hub
 * @throws InputError if it names something else: a data set, a space, a page of another host
 */
export function parseHubReference(text: string, endpoint?: string): HubReference | undefined {
  const trimmed = text.trim();
  const path = pathOnHub(trimmed, endpoint);
  const parts = path.split('/').filter((part) => part !== '');
  if (parts[0] === 'api' && parts[1] === 'models') parts.splice(0, 2);
  if (parts.length === 1 && parts[0] === 'models' && path !== trimmed) {
    throw new InputError(
      `${text} is the hub's list of models; name one such as EleutherAI/pythia-70m`,
      unknownModel,
    );
  }
  const kind = parts.length > 1 ? NOT_MODELS[parts[0] ?? ''] : undefined;
  if (kind !== undefined && (parts.length > 2 || path !== trimmed)) {
    throw new InputError(
      `${text} is ${kind} of the hub; name a model such as gpt2 or EleutherAI/pythia-70m`,
      unknownModel,
    );
  }
  const verb = parts.findIndex((part, at) => at > 0 && (BEFORE_REVISION.has(part) || OTHER_PAGES.has(part)));
  const isPage = verb !== -1 && verb <= 2 && (path !== trimmed || parts.length > 2);
  const [name = '', atRevision] = (isPage ? parts.slice(0, verb) : parts).join('/').split(/@(.*)/s);
  const id = name.replace(/\.git$/, '');
  if (!isHubId(id) || (path === trimmed && /^\/|\/$|\/\//.test(path))) {
    if (namesTheHub(trimmed)) {
      throw new InputError(
        `${text} does not name a model of the hub; give one such as EleutherAI/pythia-70m`,
        unknownModel,
      );
    }
    return undefined;
  }
  return { id, revision: isPage ? revisionAfter(parts, verb) : atRevision };
}

/**
 * Reads a model's name if only a model of the hub can be meant.
 * @throws InputError if the text does not name a model of the hub
 */
export function readHubReference(text: string): HubReference {
  const named = parseHubReference(text);
  if (named) return named;
  throw new InputError(
    `${text} is not an id of a model on the hub; give one such as gpt2 or EleutherAI/pythia-70m`,
    unknownModel,
  );
}

/** What follows the host in an address of the hub; a text that is not one comes back as it is. */
function pathOnHub(text: string, endpoint: string | undefined): string {
  if (/^hf:/i.test(text)) return text.replace(/^hf:(\/\/)?/i, '/');
  const own = endpoint === undefined ? undefined : new URL(endpoint);
  const isHubHost = (host: string) => HUB_HOSTS.includes(host.replace(/^www\./, ''));
  const git = /^git@([\w.]+):(.*)$/s.exec(text);
  if (git && isHubHost(git[1]!)) return `/${git[2]!}`;
  if (!/^https?:/i.test(text)) {
    const [host = '', ...rest] = text.split('/');
    return rest.length > 0 && isHubHost(host.toLowerCase()) ? `/${withoutQuery(rest.join('/'))}` : text;
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const path = url && decode(url.pathname);
  if (url && path !== undefined) {
    const prefix = own?.pathname.replace(/\/+$/, '') ?? '';
    if (own && url.host === own.host && path.startsWith(`${prefix}/`)) return path.slice(prefix.length);
    if (isHubHost(url.hostname)) return path;
  }
  const host = url ? url.host : 'it';
  const mirror =
    url && own ? `, or let HF_ENDPOINT be ${url.protocol}//${url.host} if that is a mirror of it` : '';
  throw new InputError(
    `the model is an address, and ${host} is not the hub; give a folder, a hub id such as gpt2, or an address of huggingface.co${mirror}`,
    unknownModel,
  );
}

function revisionAfter(parts: readonly string[], verb: number): string | undefined {
  if (!BEFORE_REVISION.has(parts[verb]!)) return undefined;
  const [first, ...rest] = parts.slice(verb + 1);
  // Pull requests have three words: refs/pr/4.
  return first === 'refs' && rest.length >= 2 ? [first, ...rest.slice(0, 2)].join('/') : first;
}

function withoutQuery(path: string): string {
  return path.replace(/[?#].*$/s, '');
}

function decode(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
