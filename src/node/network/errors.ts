import { foreignLine } from '../../engine/message.ts';

/** Failures that another attempt would meet again: a refused certificate, and a server that does not speak TLS or HTTP. */
const PERMANENT = /CERT|SIGNATURE|^ERR_(SSL|TLS)|^EPROTO$|^HPE_|does not match the HTTP/;

/** A request that failed on its way; never leaves src/node. */
export class NetworkError extends Error {
  /** Milliseconds that the server asked to wait, where it did. */
  readonly retryAfter: number | undefined;
  /** Whether the same request may succeed later. A refused certificate or a proxy without its password does not pass. */
  readonly mayPass: boolean;
  /** Whether nothing answers at the address: its name is unknown, or it refuses connections. */
  readonly isNobody: boolean;

  constructor(
    message: string,
    options: { retryAfter?: number | undefined; mayPass?: boolean; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.retryAfter = options.retryAfter;
    const reason = networkReason(options.cause);
    this.mayPass = options.mayPass ?? !PERMANENT.test(reason);
    this.isNobody = /^(ENOTFOUND|ECONNREFUSED)$/.test(reason);
  }
}

/** The code of a failed connection (ENOTFOUND, ECONNRESET, ...), or the best words that there are. */
export function networkReason(error: unknown): string {
  if (!(error instanceof Error)) return foreignLine(String(error));
  const { code } = error as NodeJS.ErrnoException;
  if (code?.startsWith('UND_ERR_CONNECT_TIMEOUT')) return 'no connection in time';
  // The HTTP library's own codes say less than its messages.
  if (code && !code.startsWith('UND_ERR')) return foreignLine(code);
  if (error instanceof AggregateError) return networkReason(error.errors[0]);
  return error.message === '' && error.cause !== undefined
    ? networkReason(error.cause)
    : foreignLine(error.message);
}
