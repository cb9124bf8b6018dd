import { option, wording } from '../engine/error-words.ts';
import type { Wording } from '../engine/error-words.ts';
import { FileError } from '../engine/errors.ts';
import type { ErrorDetails, ErrorSubject } from '../engine/errors.ts';
import { foreignLine } from '../engine/message.ts';

/** What a request to the hub is about. */
export interface HubSubject {
  readonly repository: string;
  readonly revision: string;
  readonly file?: string | undefined;
}

/** "model.safetensors of gpt2 at main", or "gpt2 at main". */
export function describeSubject({ repository, revision, file }: HubSubject): string {
  const place = `${repository} at ${revision}`;
  return file === undefined ? place : `${file} of ${place}`;
}

/** The hub refused, cannot be reached, or sent wrong bytes; or the cache of its files cannot be used. */
export class HubError extends FileError {
  /** The error of a model on the hub, or of a file of it. */
  static about<Kind extends HubError>(
    this: new (problem: string | Wording, details?: ErrorDetails) => Kind,
    subject: HubSubject,
    problem: string | Wording,
    details: ErrorDetails = {},
  ): Kind {
    return new this(problem, { subject: errorSubject(subject), ...details });
  }
}

/** The hub gave no answer, or none but "later": a cached copy may stand in for it. */
export class HubUnreachableError extends HubError {
  protected static override readonly code: string = 'hub-unreachable';
}

/** The hub's answer is not one of its own: a login page, another kind of server, a mirror that has files alone. */
export class UnlikeTheHubError extends HubUnreachableError {
  protected static override readonly code: string = 'not-the-hub';
}

/** The hub answered, and its answer is no; `isHub` tells whether it speaks as the hub does. */
export class HubRefusal extends HubError {
  constructor(
    problem: string | Wording,
    readonly status: number,
    readonly isHub: boolean,
    details: ErrorDetails = {},
  ) {
    super(problem, details);
  }
}

function errorSubject({ repository, file }: HubSubject): ErrorSubject {
  return file === undefined ? { kind: 'model', name: repository } : { kind: 'file', name: file };
}

/** The headers of an answer, by their names in lower case. */
interface AnswerHeaders {
  get(name: string): string | null;
}

/** Who asks the hub, and with what rights. */
export interface HubAccess {
  /** The address of the hub or its mirror. */
  readonly endpoint: string;
  /**
   * Where the token that went along came from; undefined if none did. null if the caller cannot send one: the user is
   * told to download the model.
   */
  readonly tokenSource: string | undefined | null;
}

const OPEN_ITS_FOLDER = 'download it and choose its folder';

/**
 * The error for an answer that no repetition will change. The hub tells its reasons apart by the headers X-Error-Code and
 * X-Error-Message; for strangers it says 401 where a repository does not exist.
 */
export function refusal(
  { status, headers }: { readonly status: number; readonly headers: AnswerHeaders },
  subject: HubSubject,
  access: HubAccess,
): HubRefusal {
  const code = headers.get('x-error-code') ?? '';
  const [problem, details] = refused({ status, code, headers }, subject, access);
  return new HubRefusal(problem, status, code !== '', { subject: errorSubject(subject), ...details });
}

function refused(
  {
    status,
    code,
    headers,
  }: { readonly status: number; readonly code: string; readonly headers: AnswerHeaders },
  subject: HubSubject,
  { endpoint, tokenSource }: HubAccess,
): [problem: string | Wording, details: ErrorDetails] {
  const reason = foreignLine(headers.get('x-error-message') ?? '');
  const page = `${endpoint}/${subject.repository}`;
  const what = describeSubject(subject);
  const said = reason === '' ? String(status) : `${status}: ${reason}`;
  const remedyOf = (withoutToken: string, withToken: string): string =>
    tokenSource === null ? OPEN_ITS_FOLDER : tokenSource === undefined ? withoutToken : withToken;
  const token = `the token in ${tokenSource ?? ''}`;
  if (code === 'GatedRepo') {
    const remedy = remedyOf(
      `accept its terms on ${page} and set HF_TOKEN to a token of that account`,
      `the account of ${token} must accept its terms on ${page} and be granted access`,
    );
    return [`cannot fetch ${what}: the model is gated (${status}); ${remedy}`, { code: 'model-gated' }];
  }
  if (status === 401 && typeof tokenSource === 'string' && code !== 'RepoNotFound') {
    return [
      `cannot fetch ${what}: the hub refused ${token} (${said}); renew or remove it`,
      { code: 'token-refused' },
    ];
  }
  if (code === 'RevisionNotFound') {
    return [
      wording`${subject.repository} has no ${option('revision')} ${subject.revision} (${status}); its branches and tags are listed on ${page}/tree/main`,
      { code: 'revision-unknown', subject: { kind: 'option', name: 'revision' } },
    ];
  }
  if (code === 'EntryNotFound' || (status === 404 && subject.file !== undefined)) {
    return [
      `cannot fetch ${what}: there is no such file (${said}); see ${page}/tree/main`,
      { code: 'file-missing' },
    ];
  }
  if (code === 'RepoNotFound' || status === 401 || status === 404) {
    const remedy = remedyOf('set HF_TOKEN if it is private', `whether ${token} may read it`);
    const found =
      tokenSource === null
        ? `${hostOf(endpoint)} shows no such model (${status}); check the spelling, or if it is private, ${remedy}`
        : `neither a folder nor a model that ${hostOf(endpoint)} shows (${status}); check the spelling, or ${remedy}`;
    return [`cannot find ${what}: ${found}`, { code: 'model-unknown' }];
  }
  if (status === 403) {
    const remedy = remedyOf('set HF_TOKEN to a token that may read it', `check the rights of ${token}`);
    return [`cannot fetch ${what}: access is denied (${said}); ${remedy}`, { code: 'access-denied' }];
  }
  return [`cannot fetch ${what}: ${hostOf(endpoint)} answered ${said}; see ${page}`, { code: 'hub-refused' }];
}

/** The error for a hub that does not answer. @param remedy what to do; it may be left out if the reason says it */
export function unreachable(
  subject: HubSubject,
  reason: string,
  remedy: string | undefined,
  cause?: unknown,
): HubUnreachableError {
  const what = `cannot fetch ${describeSubject(subject)}: ${reason}`;
  return HubUnreachableError.about(subject, remedy === undefined ? what : `${what}; ${remedy}`, { cause });
}

/**
 * The error for an answer that the hub would not give.
 * @param remedy what the caller's user can do
 */
export function unlikeTheHub(endpoint: string, remedy: string, cause?: unknown): UnlikeTheHubError {
  return new UnlikeTheHubError(`${hostOf(endpoint)} does not answer as the hub does; ${remedy}`, { cause });
}

/** What is wrong with a file whose bytes are not those that the hub lists. */
export function hashFault(
  what: string,
  algorithm: 'sha256' | 'git-sha1',
  found: string,
  listed: string,
): string {
  const kind = algorithm === 'sha256' ? 'SHA-256' : 'git SHA-1';
  return `${what} arrived with ${kind} ${found} where the hub lists ${listed}`;
}

/** The host of an address, for messages. */
export function hostOf(address: string): string {
  return new URL(address).host;
}
