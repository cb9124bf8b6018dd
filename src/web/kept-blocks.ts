/** What is kept between visits; it begins the name of a cache, so that the page lists and deletes only its own. */
export type KeptKind = 'model' | 'run' | 'self-test';
const cacheName = (kind: KeptKind, name: string) => `laminar-${kind}:${name}`;

/** What is kept of one model, or of one run, for the next visit. */
export interface Kept {
  readonly name: string;
  readonly bytes: number;
}

/**
 * What is kept of one model between visits, in the Cache API: blocks of its files, each whole or not at all. If the
 * browser refuses (quota, private windows), nothing more is kept and everything else goes on.
 */
export class KeptBlocks {
  #refused = false;

  private constructor(
    private readonly cache: Cache | undefined,
    private readonly onRefused: () => void,
  ) {}

  /** @param onRefused called once, when the browser will not keep a block */
  static async open(
    kind: KeptKind,
    name: string,
    onRefused: () => void = () => undefined,
  ): Promise<KeptBlocks> {
    const cache = await globalThis.caches?.open(cacheName(kind, name)).catch(() => undefined);
    const blocks = new KeptBlocks(cache, onRefused);
    if (!cache) blocks.#refuse();
    return blocks;
  }

  /** Whether the browser has refused to keep a block. */
  get refused(): boolean {
    return this.#refused;
  }

  /** The length of a block that is kept, in bytes; its content is not read. */
  async lengthOf(key: string): Promise<number | undefined> {
    const response = await this.cache?.match(address(key)).catch(() => undefined);
    return response && contentLength(response);
  }

  async get(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const response = await this.cache?.match(address(key)).catch(() => undefined);
    const buffer = await response?.arrayBuffer().catch(() => undefined);
    return buffer && new Uint8Array(buffer);
  }

  /** @returns whether the block is kept now */
  async put(key: string, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    if (!this.cache || this.#refused) return false;
    const headers = { 'Content-Length': String(bytes.length), 'Content-Type': 'application/octet-stream' };
    try {
      await this.cache.put(address(key), new Response(bytes, { headers }));
      return true;
    } catch {
      this.#refuse();
      return false;
    }
  }

  /** Deletes a block. */
  async remove(key: string): Promise<void> {
    await this.cache?.delete(address(key)).catch(() => false);
  }

  #refuse(): void {
    if (this.#refused) return;
    this.#refused = true;
    this.onRefused();
  }
}

/** The cache's keys must be addresses; these are never asked of a server. */
function address(key: string): string {
  return `${location.origin}/laminar-kept/${encodeURIComponent(key)}`;
}

const contentLength = (response: Response): number => Number(response.headers.get('Content-Length') ?? 0);

/** What is kept of a kind, `model` or `run`: a name and the number of bytes for each. Nothing if the browser keeps nothing. */
export async function listKept(kind: KeptKind): Promise<Kept[]> {
  const names = (await globalThis.caches?.keys().catch(() => [])) ?? [];
  const prefix = cacheName(kind, '');
  const kept = names
    .filter((name) => name.startsWith(prefix))
    .map(async (name) => {
      const cache = await caches.open(name);
      const responses = await Promise.all((await cache.keys()).map((request) => cache.match(request)));
      const bytes = responses.reduce((sum, response) => sum + (response ? contentLength(response) : 0), 0);
      return { name: name.slice(prefix.length), bytes };
    });
  return (await Promise.all(kept)).filter(({ bytes }) => bytes > 0);
}

/** Deletes what is kept of a model or a run, by its name in `listKept`. It does nothing if nothing is kept of it. */
export async function forget(kind: KeptKind, name: string): Promise<void> {
  await globalThis.caches?.delete(cacheName(kind, name)).catch(() => undefined);
}
