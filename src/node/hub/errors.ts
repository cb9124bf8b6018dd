import { FileError } from '../../engine/errors.ts';
import { oneLine } from '../network/errors.ts';

/** The hub refused, cannot be reached, sent wrong bytes, or its cache folder cannot be used. */
export class HubError extends FileError {}

/** The hub gave no answer, or none but "later": a cached copy may stand in for it. */
export class HubUnreachableError extends HubError {}

/** The hub answered, and its answer is no; `isHub` tells whether it speaks as the hub does. */
export class HubRefusal extends HubError {
  constructor(
    message: string,
    readonly status: number,
    readonly isHub: boolean,
  ) {
    super(message);
  }
}

/** The hub's answer is not one of its own: a login page, another kind of server, a mirror that has files alone. */
export class UnlikeTheHubError extends HubUnreachableError {}

/** What a request is about, for messages. */
export interface Subject {
  readonly repository: string;
  readonly revision: string;
  readonly file?: string;
}

/** "model.safetensors of gpt2 at main", or "gpt2 at main". */
export function describeSubject(subject: Subject): string {
  const place = `${subject.repository} at ${subject.revision}`;
  return subject.file === undefined ? place : `${subject.file} of ${place}`;
}

/**
 * The one-line error for an answer that no repetition will change. The hub tells its reasons apart by the
 * headers X-Error-Code and X-Error-Message; for strangers it says 401 where a repository does not exist.
 * @param tokenSource where the token that went along came from, undefined if none did.
 */
export function refusal(
  response: { readonly status: number; readonly headers: Headers },
  subject: Subject,
  endpoint: string,
  tokenSource: string | undefined,
): HubRefusal {
  const code = response.headers.get('x-error-code') ?? '';
  const message = refusalMessage(response, code, subject, endpoint, tokenSource);
  return new HubRefusal(message, response.status, code !== '');
}

function refusalMessage(
  { status, headers }: { readonly status: number; readonly headers: Headers },
  code: string,
  subject: Subject,
  endpoint: string,
  tokenSource: string | undefined,
): string {
  const reason = oneLine(headers.get('x-error-message') ?? '');
  const page = `${endpoint}/${subject.repository}`;
  const what = describeSubject(subject);
  const said = reason === '' ? String(status) : `${status}: ${reason}`;
  if (code === 'GatedRepo') {
    const remedy =
      tokenSource === undefined
        ? `accept its terms on ${page} and set HF_TOKEN to a token of that account`
        : `the account of the token in ${tokenSource} must accept its terms on ${page} and be granted access`;
    return `cannot fetch ${what}: the model is gated (${status}); ${remedy}`;
  }
  if (status === 401 && tokenSource !== undefined && code !== 'RepoNotFound') {
    return `cannot fetch ${what}: the hub refused the token in ${tokenSource} (${said}); renew or remove it`;
  }
  if (code === 'RevisionNotFound') {
    return `${subject.repository} has no revision ${subject.revision} (${status}); its branches and tags are listed on ${page}/tree/main`;
  }
  if (code === 'EntryNotFound' || (status === 404 && subject.file !== undefined)) {
    return `cannot fetch ${what}: there is no such file (${said}); see ${page}/tree/main`;
  }
  if (code === 'RepoNotFound' || status === 401 || status === 404) {
    const remedy =
      tokenSource === undefined
        ? 'check the spelling, or set HF_TOKEN if it is private'
        : `check the spelling, or whether the token in ${tokenSource} may read it`;
    return `cannot find ${what}: neither a folder nor a model that ${hostOf(endpoint)} shows (${status}); ${remedy}`;
  }
  if (status === 403) {
    const remedy =
      tokenSource === undefined
        ? 'set HF_TOKEN to a token that may read it'
        : `check the rights of the token in ${tokenSource}`;
    return `cannot fetch ${what}: access is denied (${said}); ${remedy}`;
  }
  return `cannot fetch ${what}: ${hostOf(endpoint)} answered ${said}; see ${page}`;
}

/** The one-line error for a cache folder that refuses to be written or read. */
export function cacheFault(cause: NodeJS.ErrnoException, cacheFolder: string): HubError {
  const remedies: Record<string, string> = {
    ENOSPC: 'the disk is full; free space there',
    EDQUOT: 'the quota is used up; free space there',
    EROFS: 'it is read-only; make it writable',
    EACCES: 'access is denied; make it writable',
    EPERM: 'access is denied; make it writable',
    ENOTDIR: 'a file is where a folder must be; remove it',
    EEXIST: 'a file is where a folder must be; remove it',
    EISDIR: 'a folder is where a file must be; remove it',
  };
  const remedy = remedies[cause.code ?? ''] ?? 'check the disk';
  const place = cause.path === undefined ? '' : ` (${cause.code ?? 'error'} at ${cause.path})`;
  return new HubError(
    `cannot use the cache folder ${cacheFolder}${place}: ${remedy}, or name another one in HF_HUB_CACHE`,
    { cause },
  );
}

/** Whether an error comes from the operating system's file calls. */
export function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

/** The host of an address, for messages. */
export function hostOf(address: string): string {
  return new URL(address).host;
}

/** The error for an answer that the hub would not give. */
export function unlikeTheHub(endpoint: string, cause?: unknown): UnlikeTheHubError {
  return new UnlikeTheHubError(
    `${hostOf(endpoint)} does not answer as the hub does; check HF_ENDPOINT, or whether this network wants a login first`,
    { cause },
  );
}
