import { setTimeout as sleep } from 'node:timers/promises';
import { NetworkError } from './errors.ts';

const MAX_DELAY = 30_000;
/** Failures in a row after which it gives up if nothing answers at the address. */
const PATIENCE_WITH_NOBODY = 2;
/** If a server asks for a longer wait than this, it is an error instead. */
const MAX_RETRY_AFTER = 300_000;

export interface BackoffOptions {
  /** What is fetched, for notices. */
  readonly what: string;
  /** Failures in a row after which it gives up. */
  readonly patience: number;
  /** Milliseconds before the first repetition; doubles with each. */
  readonly retryDelay: number;
  readonly signal: AbortSignal | undefined;
  readonly onNotice: (line: string) => void;
  /** The error for the end of patience; `reason` says what failed and how often, `remedy` what the server asked. */
  readonly giveUp: (reason: string, remedy: string | undefined, cause: NetworkError) => Error;
}

/** Counts failures in a row and waits longer after each. */
export class Backoff {
  #failures = 0;

  constructor(private readonly options: BackoffOptions) {}

  /** Something arrived: failures are counted from 0 again. */
  reset(): void {
    this.#failures = 0;
  }

  /**
   * Waits before the next attempt.
   * @throws the error itself unless it is a NetworkError; what `giveUp` makes of it when patience ends or waiting would
   *   not help; the signal's reason if it is aborted
   */
  async wait(error: unknown): Promise<void> {
    if (!(error instanceof NetworkError)) throw error;
    const { what, retryDelay, signal, onNotice, giveUp } = this.options;
    const patience = error.isNobody
      ? Math.min(this.options.patience, PATIENCE_WITH_NOBODY)
      : this.options.patience;
    this.#failures++;
    const asked = error.retryAfter;
    if (!error.mayPass) throw giveUp(error.message, '', error);
    if (this.#failures > patience || (asked !== undefined && asked > MAX_RETRY_AFTER)) {
      const tries = this.#failures === 1 ? 'once' : `${this.#failures} times`;
      const remedy = asked === undefined ? undefined : `it asks to wait ${Math.ceil(asked / 1000)} s`;
      throw giveUp(`${error.message} (tried ${tries})`, remedy, error);
    }
    const growing = Math.min(retryDelay * 2 ** (this.#failures - 1), MAX_DELAY);
    const delay = asked ?? growing * (0.75 + Math.random() / 2);
    onNotice(`${what}: ${error.message}; trying again in ${(delay / 1000).toFixed(1)} s`);
    await sleep(delay, undefined, { ...(signal ? { signal } : {}) }).catch((aborted: unknown) => {
      signal?.throwIfAborted();
      throw aborted;
    });
  }
}

/** The statuses that may change when the request is repeated. */
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

/** The error for an answer that may be another one next time; undefined for all others. */
export function transientFailure(answer: {
  readonly address: URL;
  readonly status: number;
  readonly headers: Headers;
}): NetworkError | undefined {
  if (!TRANSIENT_STATUS.has(answer.status)) return undefined;
  return new NetworkError(`${answer.address.host} answered ${answer.status}`, {
    retryAfter: readRetryAfter(answer.headers.get('retry-after')),
  });
}

/** Seconds or a date (RFC 9110, 10.2.3), in milliseconds from now. */
function readRetryAfter(value: string | null): number | undefined {
  if (value === null || value.trim() === '') return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
