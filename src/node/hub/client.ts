import { setTimeout as sleep } from 'node:timers/promises';
import type { HubSettings } from './environment.ts';
import { HubError, HubUnreachableError, TransientError } from './errors.ts';
import { describeSubject, hostOf, networkReason, refusal } from './errors.ts';
import type { Subject } from './errors.ts';

const LONGEST_DELAY = 30_000;
/** A server that asks for more patience than this is answered with an error instead. */
const LONGEST_RETRY_AFTER = 300_000;
const MOST_REDIRECTS = 10;
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

export interface ClientOptions {
  readonly signal: AbortSignal | undefined;
  readonly onNotice: (line: string) => void;
  /** Milliseconds before the first repetition; doubles with each. */
  readonly retryDelay: number;
}

/** Requests to the hub: the token goes to the hub alone, and what may pass is tried again. */
export class HubClient {
  constructor(
    readonly settings: HubSettings,
    readonly options: ClientOptions,
  ) {}

  /**
   * A `fetch` for @huggingface/hub: reads the whole answer, repeats what failed in passing.
   * @param patience failures after which it gives up.
   * @throws HubError for a refusal, HubUnreachableError when patience ends.
   */
  fetcher(subject: Subject, patience: number): typeof fetch {
    return async (input, init) => {
      const backoff = new Backoff(this, subject, patience);
      for (;;) {
        try {
          const address = input instanceof Request ? input.url : String(input);
          const response = await this.open(address, subject, new Headers(init?.headers));
          return new Response(await this.readWhole(response), {
            status: response.status,
            headers: response.headers,
          });
        } catch (error) {
          await backoff.wait(error);
        }
      }
    };
  }

  /**
   * One GET, redirects followed; the body is the caller's to read.
   * @throws TransientError if it may be tried again, HubError if that would not help.
   */
  async open(address: string, subject: Subject, headers: Headers): Promise<Response> {
    const { token, endpoint } = this.settings;
    const origin = new URL(endpoint).origin;
    headers.set('user-agent', 'laminar');
    headers.set('accept-encoding', 'identity'); // lengths and ranges count the file's own bytes
    let target = new URL(address);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      headers.delete('authorization');
      if (token !== undefined && target.origin === origin) {
        headers.set('authorization', `Bearer ${token.value}`);
      }
      const response = await this.once(target, headers);
      const location = response.status >= 300 && response.status < 400 && response.headers.get('location');
      if (!location) return this.accept(response, subject);
      await response.body?.cancel();
      if (!URL.canParse(location, target)) break;
      target = new URL(location, target);
    }
    throw new HubError(
      `cannot fetch ${describeSubject(subject)}: ${hostOf(endpoint)} redirects in circles; check HF_ENDPOINT`,
    );
  }

  /**
   * The bytes of an answer as they come. Leaving the loop closes the connection.
   * @throws TransientError if it breaks or stays silent; the signal's reason if it was aborted.
   */
  async *chunks(response: Response): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const reader = response.body?.getReader();
    if (!reader) return;
    try {
      for (;;) {
        const { done, value } = await this.whileAlive(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      reader.cancel().catch(() => undefined); // a broken connection is cancelled already
    }
  }

  private async readWhole(response: Response): Promise<Blob> {
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for await (const chunk of this.chunks(response)) chunks.push(chunk);
    return new Blob(chunks);
  }

  private async once(target: URL, headers: Headers): Promise<Response> {
    const controller = new AbortController();
    const signals = [controller.signal, ...(this.options.signal ? [this.options.signal] : [])];
    const timer = setTimeout(() => {
      controller.abort(new Error('no answer in time'));
    }, this.settings.idleTimeout);
    try {
      return await fetch(target, { headers, redirect: 'manual', signal: AbortSignal.any(signals) });
    } catch (error) {
      this.options.signal?.throwIfAborted();
      const reason = networkReason(error);
      const remedy = /CERT|SIGNATURE/.test(reason)
        ? ' (a proxy? name its certificate in NODE_EXTRA_CA_CERTS)'
        : '';
      throw new TransientError(`${target.host} cannot be reached: ${reason}${remedy}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  private async accept(response: Response, subject: Subject): Promise<Response> {
    const { status, headers } = response;
    if (status === 200 || status === 206 || status === 416) return response;
    await response.body?.cancel();
    if (TRANSIENT_STATUS.has(status)) {
      throw new TransientError(`${hostOf(this.settings.endpoint)} answered ${status}`, {
        retryAfter: readRetryAfter(headers.get('retry-after')),
      });
    }
    throw refusal(response, subject, this.settings.endpoint, this.settings.token?.source);
  }

  /** Waits for bytes, but not for ever. */
  private async whileAlive<T>(bytes: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error('the connection fell silent'));
      }, this.settings.idleTimeout);
    });
    try {
      return await Promise.race([bytes, silence]);
    } catch (error) {
      this.options.signal?.throwIfAborted();
      throw new TransientError(`the connection was cut: ${networkReason(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Counts failures in a row and waits longer after each. */
export class Backoff {
  private failures = 0;

  constructor(
    private readonly client: HubClient,
    private readonly subject: Subject,
    private readonly patience: number,
  ) {}

  /** Something arrived: failures are counted from none again. */
  reset(): void {
    this.failures = 0;
  }

  /**
   * Waits before the next attempt.
   * @throws the error itself unless it is a TransientError; HubUnreachableError when patience ends.
   */
  async wait(error: unknown): Promise<void> {
    if (!(error instanceof TransientError)) throw error;
    const { signal, onNotice, retryDelay } = this.client.options;
    this.failures++;
    const asked = error.retryAfter;
    if (this.failures > this.patience || (asked !== undefined && asked > LONGEST_RETRY_AFTER)) {
      const when =
        asked === undefined
          ? 'check the network and HF_ENDPOINT'
          : `it asks to wait ${Math.ceil(asked / 1000)} s`;
      const tries = this.failures === 1 ? 'once' : `${this.failures} times`;
      throw new HubUnreachableError(
        `cannot fetch ${describeSubject(this.subject)}: ${error.message} (tried ${tries}); ${when}, then try again: what has arrived is kept`,
        { cause: error },
      );
    }
    const growing = Math.min(retryDelay * 2 ** (this.failures - 1), LONGEST_DELAY);
    const delay = asked ?? growing * (0.75 + Math.random() / 2);
    onNotice(
      `${describeSubject(this.subject)}: ${error.message}; trying again in ${(delay / 1000).toFixed(1)} s`,
    );
    await sleep(delay, undefined, { ...(signal ? { signal } : {}) }).catch((aborted: unknown) => {
      signal?.throwIfAborted();
      throw aborted;
    });
  }
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function readRetryAfter(value: string | null): number | undefined {
  if (value === null || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
