import { sha1 } from '@noble/hashes/legacy.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { isJsonObject } from '../engine/files.ts';

/** What a file's bytes must come to, as the hub lists it. */
export interface ListedHash {
  /** The hash of the content, or git's name for a blob: SHA-1 of "blob LENGTH\0" and the content. */
  readonly algorithm: 'sha256' | 'git-sha1';
  /** In hexadecimal. */
  readonly digest: string;
}

/** The hash in an entry of the hub's listing {"blobId", "lfs": {"sha256"}}; undefined if it names none. */
export function listedHash({ lfs, blobId }: Readonly<Record<string, unknown>>): ListedHash | undefined {
  const sha = isJsonObject(lfs) ? lfs['sha256'] : undefined;
  if (typeof sha === 'string' && /^[0-9a-f]{64}$/.test(sha)) return { algorithm: 'sha256', digest: sha };
  // Of a file in LFS, git knows the pointer alone.
  if (lfs || typeof blobId !== 'string' || !/^[0-9a-f]{40}$/.test(blobId)) return undefined;
  return { algorithm: 'git-sha1', digest: blobId };
}

/**
 * Hashes a file piece by piece. Browsers themselves hash only whole buffers, and files are larger than those.
 * @param size of the file, in bytes
 */
export class ContentHash {
  readonly #hash: { update(bytes: Uint8Array): unknown; digest(): Uint8Array };

  constructor(algorithm: ListedHash['algorithm'], size: number) {
    this.#hash = algorithm === 'sha256' ? sha256.create() : sha1.create();
    if (algorithm === 'git-sha1') this.#hash.update(new TextEncoder().encode(`blob ${size}\0`));
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** In hexadecimal; nothing can be added afterwards. */
  digest(): string {
    return Array.from(this.#hash.digest(), (byte) => byte.toString(16).padStart(2, '0')).join('');
  }
}
