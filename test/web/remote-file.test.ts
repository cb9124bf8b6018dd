import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ContentHash, listedHash } from '../../src/web/content-hash.ts';
import type { ListedHash } from '../../src/web/content-hash.ts';
import { BLOCK_BYTES, openRemoteFile } from '../../src/web/remote-file.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const gitSha1 = (bytes: Uint8Array) =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

test('a hash in pieces is the hash of the whole', () => {
  const bytes = Uint8Array.from({ length: 300_001 }, (_, index) => (index * index) % 251);
  for (const [algorithm, expected] of [
    ['sha256', sha256(bytes)],
    ['git-sha1', gitSha1(bytes)],
  ] as const) {
    const hash = new ContentHash(algorithm, bytes.length);
    for (let start = 0; start < bytes.length; start += 70_001)
      hash.update(bytes.subarray(start, start + 70_001));
    expect(hash.digest()).toBe(expected);
  }
});

test("the hub's listing tells which", () => {
  const [sha, blob] = ['a'.repeat(64), 'b'.repeat(40)];
  expect(listedHash({ blobId: blob, lfs: { sha256: sha, size: 1 } })).toEqual({
    algorithm: 'sha256',
    digest: sha,
  });
  expect(listedHash({ blobId: blob })).toEqual({ algorithm: 'git-sha1', digest: blob });
  for (const entry of [
    {},
    { blobId: 5 },
    { blobId: 'no' },
    { blobId: blob, lfs: { sha256: 'no' } },
    { lfs: null },
  ])
    expect(listedHash(entry)).toBeUndefined();
});

describe('a download', () => {
  const content = Uint8Array.from({ length: BLOCK_BYTES + 1000 }, (_, index) => (index >> 3) % 256);
  const right: ListedHash = { algorithm: 'sha256', digest: sha256(content) };
  let requests: string[];
  let changed: Uint8Array | undefined;

  beforeEach(() => {
    requests = [];
    changed = undefined;
    vi.stubGlobal('navigator', { onLine: true });
    vi.stubGlobal('fetch', (_: string, { headers }: { headers: { Range: string } }) => {
      requests.push(headers.Range);
      const [, from, to] = /(\d+)-(\d+)/.exec(headers.Range)!;
      const served = changed ?? content;
      const part = served.slice(Number(from), Number(to) + 1);
      const range = `bytes ${from}-${to}/${served.length}`;
      return Promise.resolve(new Response(part, { status: 206, headers: { 'Content-Range': range } }));
    });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  /** What the browser keeps, in memory. */
  function keeper(refused = false) {
    const blocks = new Map<string, Uint8Array<ArrayBuffer>>();
    return {
      blocks,
      refused,
      get: (key: string) => Promise.resolve(blocks.get(key)),
      lengthOf: (key: string) => Promise.resolve(blocks.get(key)?.length),
      put: (key: string, bytes: Uint8Array<ArrayBuffer>) => {
        if (!refused) blocks.set(key, bytes);
        return Promise.resolve(!refused);
      },
      remove: (key: string) => Promise.resolve(void blocks.delete(key)),
    };
  }
  const open = async (kept: ReturnType<typeof keeper>, hash: ListedHash | undefined) =>
    (await openRemoteFile({
      url: 'https://hub/file',
      name: 'org/model/file',
      size: content.length,
      hash,
      kept,
      signal: new AbortController().signal,
    }))!;

  test('with the hash that is listed is kept, and not read again on the next visit', async () => {
    const kept = keeper();
    await (await open(kept, right)).download(() => undefined);
    expect([...kept.blocks.keys()]).toEqual([
      'https://hub/file#0',
      'https://hub/file#1',
      'https://hub/file#verified',
    ]);
    kept.blocks.set('https://hub/file#1', new Uint8Array(1000));
    await (await open(kept, right)).download(() => undefined);
    expect(requests).toHaveLength(2);
  });

  test('with another is refused and let go, and comes anew', async () => {
    const kept = keeper();
    changed = content.slice();
    changed[BLOCK_BYTES + 5]! ^= 1;
    const file = await open(kept, right);
    await expect(file.download(() => undefined)).rejects.toThrow(
      `org/model/file arrived with SHA-256 ${sha256(changed)} where the hub lists ${right.digest}; nothing of it is kept: run again`,
    );
    expect(kept.blocks.size).toBe(0);
    changed = undefined;
    await (await open(kept, right)).download(() => undefined);
    expect(kept.blocks.has('https://hub/file#verified')).toBe(true);
  });

  test('without a hash, or where nothing is kept, goes on', async () => {
    await (await open(keeper(), undefined)).download(() => undefined);
    const refusing = await open(keeper(true), right);
    await refusing.download(() => undefined);
    expect(await refusing.read(BLOCK_BYTES - 2, 4)).toEqual(content.slice(BLOCK_BYTES - 2, BLOCK_BYTES + 2));
  });
});
