import { HubError, describeSubject, hostOf, refusal, unreachable } from '../../hub/errors.ts';
import type { HubSubject } from '../../hub/errors.ts';
import { budgets } from '../../engine/budgets.ts';
import { Network } from '../network/http.ts';
import type { Answer } from '../network/http.ts';
import { Backoff, transientFailure } from '../network/backoff.ts';
import { NetworkError } from '../network/errors.ts';
import type { HubSettings } from './environment.ts';
import { unlikeTheHub } from './errors.ts';

const MAX_REDIRECTS = 10;
/** Milliseconds that a JSON answer may take as a whole. */
const MAX_JSON_TIME = 120_000;

export interface ClientOptions {
  readonly signal: AbortSignal | undefined;
  readonly onNotice: (line: string) => void;
  /** Milliseconds before the first repetition; doubles with each. */
  readonly retryDelay: number;
}

/** Requests to the hub: the token goes only to the hub, and a request whose failure may be temporary is tried again. */
export class HubClient {
  readonly #network: Network;

  constructor(
    readonly settings: HubSettings,
    readonly options: ClientOptions,
  ) {
    const { environment, idleTimeout } = settings;
    this.#network = new Network({ environment, signal: options.signal, silence: idleTimeout });
  }

  /** Closes every connection. */
  close(): Promise<void> {
    return this.#network.close();
  }

  /** @param patience failures after which it gives up with a HubUnreachableError. */
  backoff(subject: HubSubject, patience: number): Backoff {
    return new Backoff({
      ...this.options,
      what: describeSubject(subject),
      patience,
      giveUp: (reason, remedy = 'check the network and HF_ENDPOINT', cause) =>
        unreachable(
          subject,
          reason,
          remedy === '' ? undefined : `${remedy}, then try again: what has arrived is kept`,
          cause,
        ),
    });
  }

  /**
   * Does something until it succeeds, as often as patience allows.
   * @throws HubError for a refusal, HubUnreachableError when patience ends.
   */
  async patiently<T>(subject: HubSubject, patience: number, attempt: () => Promise<T>): Promise<T> {
    const backoff = this.backoff(subject, patience);
    for (;;) {
      try {
        return await attempt();
      } catch (error) {
        await backoff.wait(error);
      }
    }
  }

  /**
   * Reads a JSON answer of the hub's interface.
   * @returns the value, the address of the next page of a listing, and the answer's bytes
   * @throws HubError for a refusal or an answer unlike the hub's, HubUnreachableError when patience ends.
   */
  getJson(
    address: string,
    subject: HubSubject,
    patience: number,
  ): Promise<{ readonly value: unknown; readonly next: string | undefined; readonly bytes: number }> {
    return this.patiently(subject, patience, async () => {
      const answer = await this.open(address, subject);
      const bytes = await this.readWhole(answer, budgets.hubAnswer);
      const link = /<([^<>]+)>;\s*rel="?next"?/.exec(answer.headers.get('link') ?? '')?.[1];
      const next =
        link !== undefined && URL.canParse(link, address) ? new URL(link, address).href : undefined;
      try {
        return { value: JSON.parse(new TextDecoder().decode(bytes)) as unknown, next, bytes: bytes.length };
      } catch (error) {
        throw unlikeTheHub(this.settings.endpoint, error);
      }
    });
  }

  /**
   * The whole body of a small answer.
   * @throws HubError if it is larger than `limit` bytes; NetworkError if it takes too long or breaks off.
   */
  async readWhole(answer: Answer, limit: number): Promise<Uint8Array<ArrayBuffer>> {
    const deadline = performance.now() + MAX_JSON_TIME;
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const chunk of answer.chunks()) {
      length += chunk.length;
      if (length > limit) throw unlikeTheHub(this.settings.endpoint);
      if (performance.now() > deadline) throw new NetworkError('the answer takes too long');
      chunks.push(chunk);
    }
    return new Uint8Array(await new Blob(chunks).arrayBuffer());
  }

  /**
   * One GET, redirects followed; the body is the caller's to read.
   * @param onHop takes the headers of every answer on the way, the last one's included
   * @throws NetworkError if it may be tried again, HubError if that would not help.
   */
  async open(
    address: string,
    subject: HubSubject,
    headers: Readonly<Record<string, string>> = {},
    onHop?: (headers: Headers) => void,
  ): Promise<Answer> {
    const { token, endpoint, authorization } = this.settings;
    const { origin } = new URL(endpoint);
    const own = token === undefined ? authorization : `Bearer ${token.value}`;
    let target = new URL(address);
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const answer = await this.#network.get(target, {
        'accept-encoding': 'identity', // lengths and ranges count the file's own bytes
        ...headers,
        ...(own !== undefined && target.origin === origin ? { authorization: own } : {}),
      });
      onHop?.(answer.headers);
      const location = answer.status >= 300 && answer.status < 400 && answer.headers.get('location');
      if (!location) return this.#accept(answer, subject);
      answer.discard();
      const next = URL.canParse(location, target.href) ? new URL(location, target) : undefined;
      if (!next || !/^https?:$/.test(next.protocol)) break;
      if (target.protocol === 'https:' && next.protocol === 'http:') break; // the hub never redirects from https to http
      target = next;
    }
    throw HubError.about(
      subject,
      `cannot fetch ${describeSubject(subject)}: ${hostOf(endpoint)} redirects in circles, or to an address that is not allowed; check HF_ENDPOINT`,
    );
  }

  #accept(answer: Answer, subject: HubSubject): Answer {
    const { status } = answer;
    if (status === 200 || status === 206 || status === 416) return answer;
    answer.discard();
    throw (
      transientFailure(answer) ??
      refusal(answer, subject, {
        endpoint: this.settings.endpoint,
        tokenSource: this.settings.token?.source,
      })
    );
  }
}
