import type * as Undici from 'undici';
import { codingsOf, decompress } from './decompress.ts';
import { NetworkError, networkReason } from './errors.ts';
import { findProxy } from './proxy.ts';
import type { Environment, Proxy } from './proxy.ts';

/** Milliseconds in which a connection must be established. */
const CONNECT_TIMEOUT = 10_000;

export interface NetworkOptions {
  /** Names the proxies. */
  readonly environment: Environment;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds without a byte after which a connection counts as cut. */
  readonly silence: number;
}

/** An answer whose body has not been read. Either `chunks` or `discard` must be called. */
export interface Answer {
  readonly address: URL;
  readonly status: number;
  readonly headers: Headers;
  /** Whether the body travels compressed: its lengths and ranges do not count the file's own bytes then. */
  readonly isCompressed: boolean;
  /**
   * The bytes as they come, decompressed. Leaving the loop closes the connection.
   * @throws NetworkError if it breaks or stays silent; the signal's reason if it was aborted.
   */
  chunks(): AsyncGenerator<Uint8Array<ArrayBuffer>>;
  /** Closes the connection without reading on. */
  discard(): void;
}

/** Requests through the proxies that the environment names, with time-outs, heard by the signal at every moment. */
export class Network {
  readonly #agents = new Map<string, Undici.Dispatcher>();

  constructor(readonly options: NetworkOptions) {}

  /** Whether a proxy stands between here and an address. */
  usesProxy(target: URL): boolean {
    return findProxy(target, this.options.environment) !== undefined;
  }

  /**
   * One GET; redirects are answers.
   * @throws NetworkError if no answer comes; the signal's reason if it was aborted; InputError for an impossible proxy
   */
  async get(target: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const proxy = findProxy(target, this.options.environment);
    // Two thirds of what importing the library would take, and most runs ask for nothing.
    const undici = await import('undici');
    const started = undici.request(new URL(`${target.pathname}${target.search}`, target.origin), {
      dispatcher: this.#agent(proxy, undici),
      headers: { 'user-agent': 'laminar', ...headers },
      signal: this.options.signal ?? null,
      // Silence is measured here, before the answer and between its bytes.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    const response = await this.#whileAlive(started, 'no answer in time').catch((error: unknown) => {
      // An answer that still comes is not needed any more.
      started.then(({ body }) => body.on('error', () => undefined).destroy()).catch(() => undefined);
      throw this.#failure(error, target, proxy);
    });
    const { body, statusCode } = response;
    body.on('error', () => undefined); // the reader gets the error; nothing else must fail because of it
    const answerHeaders = new Headers();
    for (const [name, value] of Object.entries(response.headers)) {
      for (const each of [value ?? []].flat()) answerHeaders.append(name, each);
    }
    if (statusCode === 407 && proxy) {
      body.destroy();
      throw proxyRefusal(proxy, 407);
    }
    const codings = codingsOf(answerHeaders.get('content-encoding'));
    return {
      address: target,
      status: statusCode,
      headers: answerHeaders,
      isCompressed: codings.length > 0,
      chunks: () => codings.reduce(decompress, this.#bytes(body)),
      discard: () => body.destroy(),
    };
  }

  /** Closes every connection. */
  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()));
    this.#agents.clear();
  }

  async *#bytes(body: Undici.Dispatcher.ResponseData['body']): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array<ArrayBuffer>>;
    try {
      for (;;) {
        const next = await this.#whileAlive(chunks.next(), 'the connection fell silent').catch(
          (error: unknown) => {
            this.options.signal?.throwIfAborted();
            throw new NetworkError(`the connection was cut: ${networkReason(error)}`, { cause: error });
          },
        );
        if (next.done) return;
        yield next.value;
      }
    } finally {
      body.destroy();
    }
  }

  #agent(proxy: Proxy | undefined, { Agent, ProxyAgent }: typeof Undici): Undici.Dispatcher {
    const key = proxy ? `${proxy.address} ${proxy.authorization ?? ''}` : '';
    let agent = this.#agents.get(key);
    if (!agent) {
      const connect = { timeout: CONNECT_TIMEOUT };
      agent = proxy
        ? new ProxyAgent({
            uri: proxy.address,
            ...(proxy.authorization === undefined ? {} : { token: proxy.authorization }),
            // Plain http goes as a request to the proxy, because many proxies tunnel only to port 443.
            proxyTunnel: false,
            proxyTls: connect,
          })
        : new Agent({ connect });
      this.#agents.set(key, agent);
    }
    return agent;
  }

  /** Waits for something of the network, but not for ever, and not after the signal. */
  #whileAlive<T>(awaited: Promise<T>, complaint: string): Promise<T> {
    const { signal, silence } = this.options;
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => {
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        reject(new Error(complaint));
      }, silence);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
      awaited.then(resolve, reject).finally(() => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      });
    });
  }

  #failure(error: unknown, target: URL, proxy: Proxy | undefined): Error {
    this.options.signal?.throwIfAborted();
    const words = error instanceof Error ? error.message : '';
    const refused = /^Proxy response \((\d+)\)|\((407)\)/.exec(words);
    if (proxy && refused) return proxyRefusal(proxy, Number(refused[1] ?? refused[2]));
    const reason = networkReason(error);
    const way = proxy ? ` through the proxy ${new URL(proxy.address).host} that ${proxy.variable} names` : '';
    const isCertificate = /CERT|SIGNATURE/.test(reason);
    const remedy = isCertificate
      ? '; name the certificate that this network adds in NODE_EXTRA_CA_CERTS'
      : '';
    return new NetworkError(`${target.host} cannot be reached${way}: ${reason}${remedy}`, {
      cause: error,
    });
  }
}

function proxyRefusal(proxy: Proxy, status: number): NetworkError {
  const { host } = new URL(proxy.address);
  const remedy =
    status === 407
      ? `it wants a name and a password: put them into ${proxy.variable} as http://NAME:PASSWORD@${host}`
      : `check ${proxy.variable} and NO_PROXY`;
  return new NetworkError(`the proxy ${host} answered ${status}; ${remedy}`, { mayPass: status >= 500 });
}
