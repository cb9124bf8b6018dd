import { budgets } from '../../engine/budgets.ts';
import { FileError } from '../../engine/errors.ts';
import { Backoff, transientFailure } from './backoff.ts';
import { CODINGS } from './decompress.ts';
import { NetworkError } from './errors.ts';
import { Network } from './http.ts';
import type { Answer } from './http.ts';
import { leadsToPrivate } from './private-address.ts';
import { basicAuthorization } from './proxy.ts';
import type { Environment } from './proxy.ts';

const MAX_REDIRECTS = 10;
const PATIENCE = 3;
/** Milliseconds without a byte after which a connection counts as cut. */
const SILENCE = 30_000;
/** Milliseconds that one attempt may take as a whole. */
const MAX_TIME = 600_000;

export interface RemoteTextOptions {
  readonly signal: AbortSignal | undefined;
  /** Takes one line on a repetition. */
  readonly onNotice: (line: string) => void;
  /** Bytes that have arrived, and how many there will be, where the server tells. */
  readonly onBytes?: ((done: number, total: number) => void) | undefined;
  /** Names the proxies; process.env if absent. */
  readonly environment?: Environment | undefined;
  /** Milliseconds before the first repetition; doubles with each; 1000 if absent. */
  readonly retryDelay?: number | undefined;
  /** Milliseconds without a byte after which a connection counts as cut; 30 s if absent. */
  readonly silence?: number | undefined;
  /** The maximum number of bytes after decompression; 256 MiB if absent. */
  readonly limit?: number | undefined;
}

/** A text as a server sent it, decompressed and not decoded. */
export interface RemoteText {
  /** The address without a name and a password. */
  readonly source: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The encoding that the server declared. */
  readonly charset: string | undefined;
}

/** An address as it may be shown: without a name and a password. */
function shownAddress(url: URL): string {
  const shown = new URL(url);
  shown.username = shown.password = '';
  return shown.href;
}

/**
 * Fetches a text by http or https. Redirects are followed, but not from the public internet to a private address, and
 * not from https to anything else. A name and a password in the address go only to its own host.
 * @throws FileError if the address is wrong or leads where it must not, the server refuses or fails again and again, or the
 * text is too large; the signal's reason if it is aborted
 */
export async function fetchText(address: string, options: RemoteTextOptions): Promise<RemoteText> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url) {
    // An address that cannot be read may still hold a password.
    throw new FileError(
      `--text ${address.replace(/\/\/[^/]*@/, '//')}: is not a valid address; check it, or download the text and give its path`,
    );
  }
  const { signal, onNotice, environment = process.env, retryDelay = 1000, silence = SILENCE } = options;
  const source = shownAddress(url);
  const failure = (reason: string, cause?: unknown) =>
    new FileError(`--text ${source}: ${reason}; check the address, or download the text and give its path`, {
      cause,
    });
  const network = new Network({ environment, signal, silence });
  const backoff = new Backoff({
    what: source,
    patience: PATIENCE,
    retryDelay,
    signal,
    onNotice,
    giveUp: (reason, remedy, cause) => failure(remedy ? `${reason}, ${remedy}` : reason, cause),
  });
  try {
    for (;;) {
      try {
        const answer = await open(network, url, failure);
        return { source, charset: charsetOf(answer), bytes: await readBody(answer, options, failure) };
      } catch (error) {
        // A mistyped address is more likely than a server that comes back within seconds.
        if (error instanceof NetworkError && error.isNobody) throw failure(error.message, error);
        await backoff.wait(error);
      }
    }
  } finally {
    await network.close();
  }
}

type Failure = (reason: string, cause?: unknown) => FileError;

/** One GET with the redirects that may be followed. */
async function open(network: Network, address: URL, failure: Failure): Promise<Answer> {
  const authorization = basicAuthorization(address);
  const isPublic = !(await leadsToPrivate(address, network.usesProxy(address)));
  let target = new URL(shownAddress(address));
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const answer = await network.get(target, {
      accept: 'text/plain, text/*;q=0.9, */*;q=0.8',
      'accept-encoding': CODINGS,
      ...(authorization !== undefined && target.origin === address.origin ? { authorization } : {}),
    });
    const { status, headers } = answer;
    const location = status >= 300 && status < 400 && headers.get('location');
    if (status === 200) return answer;
    answer.discard();
    const transient = transientFailure(answer);
    if (transient) throw transient;
    if (!location) throw failure(`the server answered ${status}`);
    if (!URL.canParse(location, target.href)) throw failure('the server redirects to what is not an address');
    const next = new URL(location, target);
    if (!/^https?:$/.test(next.protocol) || (target.protocol === 'https:' && next.protocol !== 'https:')) {
      throw failure(
        `the server redirects from ${target.protocol} to ${next.protocol}, which is not followed`,
      );
    }
    if (isPublic && (await leadsToPrivate(next, network.usesProxy(next)))) {
      throw failure(`the server redirects to ${next.host}, which is not a public address`);
    }
    target = new URL(shownAddress(next));
  }
  throw failure('the server redirects in circles');
}

async function readBody(
  answer: Answer,
  { onBytes, limit = budgets.text }: RemoteTextOptions,
  failure: Failure,
): Promise<Uint8Array<ArrayBuffer>> {
  const stated = answer.isCompressed ? 0 : Number(answer.headers.get('content-length') ?? 0);
  const tooLarge = () =>
    failure(`the text is larger than ${limit / 2 ** 20} MiB, the maximum size of a text`);
  const deadline = performance.now() + MAX_TIME;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  if (stated > limit) {
    answer.discard();
    throw tooLarge();
  }
  for await (const chunk of answer.chunks()) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limit) throw tooLarge();
    if (performance.now() > deadline) throw new NetworkError('the answer takes too long');
    if (stated > 0) onBytes?.(length, stated);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function charsetOf(answer: Answer): string | undefined {
  return /;\s*charset\s*=\s*"?([^\s";]+)/i.exec(answer.headers.get('content-type') ?? '')?.[1];
}
