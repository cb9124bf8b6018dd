import { FileError } from '../engine/errors.ts';
import type { ByteSource } from '../engine/files.ts';
import { checkRange } from '../engine/files.ts';
import { HubError, hashFault } from '../hub/errors.ts';
import { ContentHash } from './content-hash.ts';
import type { ListedHash } from './content-hash.ts';
import type { KeptBlocks } from './kept-blocks.ts';

/** Downloads go in ranges of this many bytes, and are kept so. */
export const BLOCK_BYTES = 8 * 2 ** 20;
/** Blocks of a file in memory at once: its tensors are smaller, and are read in almost the order of the file. */
const MAX_HELD = 4;
/** Ranges that are asked for at once. */
const DOWNLOADS_AT_ONCE = 3;

/** A file behind a URL, where its blocks are kept, and what it is called. */
export interface RemotePlace {
  readonly url: string;
  readonly name: string;
  /** The size in bytes, if it is known beforehand. */
  readonly size?: number | undefined;
  /** The hash that its bytes must have, if it is known. */
  readonly hash?: ListedHash | undefined;
  readonly kept: Pick<KeptBlocks, 'get' | 'put' | 'remove' | 'lengthOf' | 'refused'>;
  readonly signal: AbortSignal;
}

/**
 * Opens a file behind a URL for reading in ranges; undefined if the server says that there is none. Blocks are
 * fetched when first needed and kept for the next visit; a server that knows no ranges sends the whole file once.
 * @throws FileError if the server cannot be reached or refuses
 */
export async function openRemoteFile(place: RemotePlace): Promise<RemoteFile | undefined> {
  const { kept, url } = place;
  if (place.size !== undefined) return new RemoteFile(place, place.size);
  const recorded = await kept.get(`${url}#size`);
  const size = recorded && Number(new TextDecoder().decode(recorded));
  if (size !== undefined && size >= 0) return new RemoteFile(place, size);
  const first = await fetchBlock(place, 0, BLOCK_BYTES).catch((error: unknown) => {
    place.signal.throwIfAborted();
    if (size === undefined) throw error;
    return undefined;
  });
  const file = first && new RemoteFile(place, first.size);
  await file?.accept(0, first!.bytes);
  // It is also kept that a file is missing, for visits without a network. With a network, it may exist by now.
  await kept.put(`${url}#size`, new TextEncoder().encode(String(first?.size ?? -1)));
  return file;
}

export class RemoteFile implements ByteSource {
  /** The blocks that were used last, the oldest first; if the server knows no ranges, all that are not kept. */
  readonly #held = new Map<number, Uint8Array<ArrayBuffer>>();
  #maxHeld = MAX_HELD;

  constructor(
    private readonly place: RemotePlace,
    readonly size: number,
  ) {}

  get name(): string {
    return this.place.name;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    const result = new Uint8Array(length);
    for (let at = offset; at < offset + length;) {
      const index = Math.floor(at / BLOCK_BYTES);
      const start = index * BLOCK_BYTES;
      const part = (await this.#block(index)).subarray(at - start, offset + length - start);
      result.set(part, at - offset);
      at += part.length;
    }
    return result;
  }

  /**
   * Downloads every block, so that reading needs no network. It ends early if the browser does not keep them. A file
   * that is kept as a whole is compared with its hash, once.
   * @param onBytes called with the length of each block that is there
   * @throws FileError if its bytes are not those that the hub lists; nothing of it is kept then
   */
  async download(onBytes: (bytes: number) => void): Promise<void> {
    let next = 0;
    const fetchOn = async (): Promise<void> => {
      while (next * BLOCK_BYTES < this.size && !this.place.kept.refused) {
        const index = next++;
        if (!(await this.#isNear(index))) await this.#block(index);
        onBytes(this.#lengthOf(index));
      }
    };
    await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, fetchOn));
    if (!this.place.kept.refused) await this.#verify();
  }

  /** Reads what is kept from the start to the end, unless that was done on another visit. */
  async #verify(): Promise<void> {
    const { hash, kept, signal, url } = this.place;
    if (!hash) return;
    const noted = await kept.get(`${url}#verified`);
    if (noted && new TextDecoder().decode(noted) === hash.digest) return;
    const blocks = Math.ceil(this.size / BLOCK_BYTES);
    const found = new ContentHash(hash.algorithm, this.size);
    for (let index = 0; index < blocks; index++) {
      signal.throwIfAborted();
      found.update(await this.#block(index));
    }
    const digest = found.digest();
    if (digest === hash.digest) {
      await kept.put(`${url}#verified`, new TextEncoder().encode(digest));
      return;
    }
    this.#held.clear();
    for (let index = 0; index < blocks; index++) await kept.remove(this.#key(index));
    const fault = hashFault(this.name, hash.algorithm, digest, hash.digest);
    throw new HubError(`${fault}; nothing of it is kept: run again`, {
      code: 'file-changed',
      subject: { kind: 'file', name: this.name },
    });
  }

  /** Takes bytes that came from the server, from a block's start on: one block, or the whole file. */
  async accept(index: number, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
      const at = index + start / BLOCK_BYTES;
      const block = bytes.length > BLOCK_BYTES ? bytes.slice(start, start + BLOCK_BYTES) : bytes;
      const isKept = await this.place.kept.put(this.#key(at), block);
      // A file that came whole would have to be fetched whole again.
      if (!isKept && bytes.length > BLOCK_BYTES) this.#maxHeld = Infinity;
      this.#hold(at, block);
    }
  }

  close(): Promise<void> {
    this.#held.clear();
    return Promise.resolve();
  }

  async #isNear(index: number): Promise<boolean> {
    this.place.signal.throwIfAborted();
    if (this.#held.has(index)) return true;
    return (await this.place.kept.lengthOf(this.#key(index))) === this.#lengthOf(index);
  }

  async #block(index: number): Promise<Uint8Array<ArrayBuffer>> {
    this.place.signal.throwIfAborted();
    const expected = this.#lengthOf(index);
    const near = this.#held.get(index) ?? (await this.place.kept.get(this.#key(index)));
    if (near?.length === expected) {
      this.#hold(index, near);
      return near;
    }
    const start = index * BLOCK_BYTES;
    const fetched = await fetchBlock(this.place, start, expected);
    if (!fetched || fetched.size !== this.size)
      throw FileError.at(this.name, 'changed on the server; delete what is kept of it and run again');
    await this.accept(fetched.isWhole ? 0 : index, fetched.bytes);
    return fetched.isWhole ? fetched.bytes.subarray(start, start + expected) : fetched.bytes;
  }

  /** Holds a block as the latest, and drops the oldest if there are too many. */
  #hold(index: number, block: Uint8Array<ArrayBuffer>): void {
    this.#held.delete(index);
    this.#held.set(index, block);
    // A map goes through its keys in the order in which they came.
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= this.#maxHeld) return;
      this.#held.delete(oldest);
    }
  }

  #lengthOf(index: number): number {
    return Math.min(BLOCK_BYTES, this.size - index * BLOCK_BYTES);
  }

  #key(index: number): string {
    return `${this.place.url}#${index}`;
  }
}

interface FetchedBlock {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The size of the whole file. */
  readonly size: number;
  /** The server knows no ranges: these are all bytes of the file. */
  readonly isWhole: boolean;
}

/** A range of a file, or the whole file from a server that knows no ranges; undefined if there is no such file. */
async function fetchBlock(
  { url, name, size: knownSize, signal }: RemotePlace,
  offset: number,
  length: number,
): Promise<FetchedBlock | undefined> {
  const headers = { Range: `bytes=${offset}-${offset + length - 1}` };
  const unreachable = (cause: unknown): never => {
    signal.throwIfAborted();
    throw FileError.at(name, 'cannot be fetched; check the network and run again', { cause });
  };
  const response = await fetchPatiently(url, { headers, signal, credentials: 'omit' }).catch(unreachable);
  if (response.status === 404) return undefined;
  if (response.status === 401 || response.status === 403)
    throw FileError.at(
      name,
      `the server refuses it (${response.status}); choose a public model, or download it and open its folder`,
    );
  if (!response.ok) throw FileError.at(name, `the server answered ${response.status}; try again later`);
  const bytes = new Uint8Array(await response.arrayBuffer().catch(unreachable));
  if (response.status !== 206) return { bytes, size: bytes.length, isWhole: true };
  // A server of another origin may hide the header that tells the size.
  const total = /\/(\d+)$/.exec(response.headers.get('Content-Range') ?? '')?.[1];
  const size = total === undefined ? knownSize : Number(total);
  if (size === undefined || bytes.length !== Math.min(length, size - offset))
    throw FileError.at(name, 'the download was cut short; run again');
  return { bytes, size, isWhole: false };
}

/** Milliseconds before each repetition of a request whose failure may be temporary. */
const PAUSES = [500, 1500];
const TRANSIENT_STATUS = new Set([408, 425, 429, 500, 502, 503, 504]);

/** A fetch that is repeated if the connection breaks or the server is busy, unless there is no network at all. */
async function fetchPatiently(url: string, init: RequestInit & { signal: AbortSignal }): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const pause = navigator.onLine ? PAUSES[attempt] : undefined;
    try {
      const response = await fetch(url, init);
      if (pause === undefined || !TRANSIENT_STATUS.has(response.status)) return response;
      await response.body?.cancel();
    } catch (error) {
      if (pause === undefined || init.signal.aborted) throw error;
    }
    await pauseFor(pause, init.signal);
  }
}

/** @throws the signal's reason as soon as it is aborted */
function pauseFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
