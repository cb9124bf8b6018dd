/**
 * The globals that Node and browsers share, as far as the layers below node/ and web/ use them. These layers compile
 * with this file in place of the DOM's and Node's types: what stands here is all that they may take from a platform.
 */

interface Event {
  readonly type: string;
  preventDefault(): void;
}

interface EventTarget {
  addEventListener(type: string, listener: (event: Event) => void, options?: { once?: boolean }): void;
  removeEventListener(type: string, listener: (event: Event) => void): void;
}

interface AbortSignal extends EventTarget {
  readonly aborted: boolean;
  // As both platforms have it: what `abort` was given may be anything.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly reason: any;
  throwIfAborted(): void;
}
declare const AbortSignal: { any(signals: Iterable<AbortSignal>): AbortSignal };

interface AbortController {
  readonly signal: AbortSignal;
  abort(reason?: unknown): void;
}
declare const AbortController: new () => AbortController;

interface DOMException extends Error {
  readonly name: string;
}

interface Blob {
  readonly size: number;
  slice(start?: number, end?: number): Blob;
  arrayBuffer(): Promise<ArrayBuffer>;
}

interface TextDecoder {
  readonly encoding: string;
  decode(input?: ArrayBufferView | ArrayBuffer, options?: { stream?: boolean }): string;
}
declare const TextDecoder: new (
  label?: string,
  options?: { fatal?: boolean; ignoreBOM?: boolean },
) => TextDecoder;

interface TextEncoder {
  encode(input?: string): Uint8Array<ArrayBuffer>;
}
declare const TextEncoder: new () => TextEncoder;

interface ReadableStreamDefaultReader<T> {
  read(): Promise<{ done: false; value: T } | { done: true; value: undefined }>;
  cancel(reason?: unknown): Promise<void>;
}
interface WritableStreamDefaultWriter<T> {
  write(chunk: T): Promise<void>;
  close(): Promise<void>;
  abort(reason?: unknown): Promise<void>;
}
interface TransformStream<In, Out> {
  readonly readable: { getReader(): ReadableStreamDefaultReader<Out> };
  readonly writable: { getWriter(): WritableStreamDefaultWriter<In> };
}
declare const TransformStream: new <In, Out>() => TransformStream<In, Out>;

interface Headers {
  get(name: string): string | null;
}

interface URL {
  readonly origin: string;
  readonly href: string;
  readonly origin: string;
  readonly protocol: string;
  readonly host: string;
  readonly hostname: string;
  readonly pathname: string;
  readonly search: string;
  readonly username: string;
  readonly password: string;
}
declare const URL: { new (url: string | URL, base?: string | URL): URL; canParse(url: string): boolean };

declare const performance: { now(): number };
declare const crypto: {
  readonly subtle: { digest(algorithm: string, data: ArrayBufferView | ArrayBuffer): Promise<ArrayBuffer> };
};
declare function setTimeout(callback: (nothing: undefined) => void, milliseconds?: number): unknown;
declare function clearTimeout(timer: unknown): void;

/** Base64 as a string of one character per byte. */
declare function atob(data: string): string;
