import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HubError, HubUnreachableError } from '../../src/node/hub.ts';
import { cacheFault } from '../../src/node/hub/errors.ts';
import { etagOf, refuse, sendRange } from '../support/hub-server.ts';
import type { Fault, SeenRequest } from '../support/hub-server.ts';
import { COMMIT, OTHER_COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';

const hub = useHub();
const WEIGHTS = 'model.safetensors';

/** A fault in the answers of the host that LFS files lie on. */
function inStorage(answer: (...parts: Parameters<Fault>) => void): Fault {
  return (request, response, seen) => {
    if (seen.place !== 'storage') return false;
    answer(request, response, seen);
    return true;
  };
}

/** A refusal, or another plain answer, to requests whose path matches. */
function onPath(pattern: RegExp, status: number, headers: Record<string, string> = {}): Fault {
  return (_request, response, { path }) => {
    if (!pattern.test(path)) return false;
    response.writeHead(status, headers).end();
    return true;
  };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof HubError)) throw error ?? new Error('nothing was thrown');
  expect(error.message).not.toMatch(/[\r\n]/);
  return error;
}

function inCache(...path: string[]): string {
  return join(hub.cacheFolder, 'models--gpt2', ...path);
}

function ranges(requests: readonly SeenRequest[]): (string | undefined)[] {
  return requests.filter(({ place }) => place === 'storage').map(({ headers }) => headers.range);
}

/** Nothing under the weights' final names. */
async function expectNoWeights(etag: string): Promise<void> {
  expect(await readdir(inCache('blobs'))).not.toContain(etag);
  expect(await readdir(inCache('snapshots', COMMIT))).not.toContain(WEIGHTS);
  expect(await readdir(join(hub.cacheFolder, '.locks', 'models--gpt2'))).toEqual([]);
}

describe('bytes', () => {
  test('a cut connection is resumed where it broke', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    let cuts = 0;
    hub.server.inject(
      inStorage((request, response) => {
        const from = Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
        response.writeHead(from ? 206 : 200, {
          'content-length': bytes.length - from,
          ...(from ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
        });
        response.write(bytes.subarray(from, 5000 * ++cuts), () => response.socket!.destroySoon());
      }),
      8, // more than the patience of 5: each brought something
    );
    const { folder } = await hub.resolve('gpt2');
    expect((await readFile(join(folder, WEIGHTS))).equals(bytes)).toBe(true);
    expect(ranges(hub.server.seen)).toEqual([
      undefined,
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((cut) => `bytes=${5000 * cut}-`),
    ]);
    expect(hub.notices).toHaveLength(8);
    expect(hub.notices[0]).toMatch(
      /^model.safetensors of gpt2 at main: the connection .*; trying again in 0.0 s$/,
    );
  });

  test('a server that does no ranges is asked for the whole again', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    let tries = 0;
    hub.server.inject(
      inStorage((_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length });
        const cut = [700, 300][tries++];
        if (cut === undefined) response.end(bytes);
        else response.write(bytes.subarray(0, cut), () => response.socket!.destroySoon());
      }),
    );
    const { folder } = await hub.resolve('gpt2');
    const [first, second, third, ...more] = ranges(hub.server.seen);
    expect([first, second, more]).toEqual([undefined, 'bytes=700-', []]);
    // What was on its way when the connection broke may be lost; nothing of the first answer is taken up again.
    expect([undefined, 'bytes=300-']).toContain(third);
    expect((await readFile(join(folder, WEIGHTS))).equals(bytes)).toBe(true);
    expect(hub.notices.join()).not.toMatch(/fetching it again/);
  });

  test('a server that refuses to resume is asked for the whole, once', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    await mkdir(inCache('blobs'), { recursive: true });
    const { bytes } = files[WEIGHTS]!;
    await writeFile(inCache('blobs', `${etagOf(files[WEIGHTS]!)}.incomplete`), bytes.subarray(0, 700));
    hub.server.inject(
      inStorage((_request, response) => response.writeHead(416).end()),
      1,
    );
    const { folder } = await hub.resolve('gpt2');
    expect(ranges(hub.server.seen)).toEqual(['bytes=700-', undefined]);
    expect((await readFile(join(folder, WEIGHTS))).equals(bytes)).toBe(true);
    expect(hub.notices).toHaveLength(1);
  });

  test.each([
    ['one that always breaks at the same place', (bytes: Buffer) => bytes.subarray(0, 700)],
    ['one that sends nothing', () => Buffer.alloc(0)],
  ])('a connection is given up: %s', async (_name, part) => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    hub.server.inject(
      inStorage((_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(part(bytes), () => response.socket!.destroySoon());
        if (part(bytes).length === 0) response.destroy();
      }),
    );
    const error = await failure(hub.resolve('gpt2'));
    expect(error).toBeInstanceOf(HubUnreachableError);
    expect(error.message).toMatch(/^cannot fetch model.safetensors of gpt2 at main: .* \(tried 6 times\)/);
    await expectNoWeights(etagOf(files[WEIGHTS]!));
  });

  test('a silent connection counts as cut', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    hub.environment['HF_HUB_DOWNLOAD_TIMEOUT'] = '0.5';
    const { bytes } = files[WEIGHTS]!;
    hub.server.inject(
      inStorage((_request, response) => {
        response.writeHead(200, { 'content-length': bytes.length }).write(bytes.subarray(0, 900));
      }),
      1,
    );
    await hub.resolve('gpt2');
    // On a busy machine other answers may seem silent, too, and are asked for again.
    expect([...new Set(ranges(hub.server.seen))]).toEqual([undefined, 'bytes=900-']);
    expect(hub.notices.join('\n')).toMatch(/the connection fell silent/);
  });

  test.each([
    ['fewer', -10],
    ['more', 10],
  ])('%s bytes than listed are not taken', async (_name, difference) => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    const wrong = Buffer.concat([bytes, bytes]).subarray(0, bytes.length + difference);
    hub.server.inject(inStorage((request, response) => sendRange(request, response, wrong)));
    const error = await failure(hub.resolve('gpt2'));
    expect(error.message).toMatch(
      new RegExp(
        `model.safetensors of gpt2 at main comes with ${wrong.length} bytes where the hub lists ${bytes.length}`,
      ),
    );
    await expectNoWeights(etagOf(files[WEIGHTS]!));
    expect(await readdir(inCache('blobs'))).toHaveLength(3);
  });

  test('more bytes than listed are not taken where no length is told', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    hub.server.inject(
      inStorage((_request, response) => {
        response.write(bytes); // in chunks, so without a length
        response.end(bytes);
      }),
    );
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(/more than 50000 bytes/);
    await expectNoWeights(etagOf(files[WEIGHTS]!));
  });

  test('a wrong SHA-256 is fetched anew once, then refused', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const { bytes } = files[WEIGHTS]!;
    const wrong = Buffer.from(bytes);
    wrong[1234]! ^= 1;
    const spoil = inStorage((request, response) => sendRange(request, response, wrong));
    hub.server.inject(spoil, 2);
    const error = await failure(hub.resolve('gpt2'));
    expect(error.message).toMatch(
      /arrived with SHA-256 [0-9a-f]{64} where the hub lists [0-9a-f]{64}, twice/,
    );
    await expectNoWeights(etagOf(files[WEIGHTS]!));
    expect(await readdir(inCache('blobs'))).toHaveLength(3); // no .incomplete to poison the next attempt
    hub.server.inject(spoil, 1);
    const { folder } = await hub.resolve('gpt2');
    expect((await readFile(join(folder, WEIGHTS))).equals(bytes)).toBe(true);
  });

  test('a small file with a wrong git SHA-1 is refused', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    hub.server.inject((request, response, { path }) => {
      if (!path.endsWith('/config.json')) return false;
      sendRange(
        request,
        response,
        Buffer.from(files['config.json']!.bytes.toString().replace('gpt2', 'gptx')),
      );
      return true;
    });
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(
      /config.json of gpt2 at main arrived with git SHA-1/,
    );
    expect(await readdir(inCache('blobs'))).toEqual([]);
  });
});

describe('answers', () => {
  test('429 waits as long as Retry-After says', async () => {
    addModel(hub.server, 'gpt2');
    hub.server.inject(onPath(/revision\/main/, 429, { 'retry-after': '1' }), 1);
    hub.server.inject(onPath(/config.json/, 429, { 'retry-after': new Date(0).toUTCString() }), 1);
    await hub.resolve('gpt2');
    expect(hub.notices).toHaveLength(2);
    expect(hub.notices[0]).toMatch(/^gpt2 at main: 127.0.0.1:\d+ answered 429; trying again in 1.0 s$/);
  });

  test('a wait beyond all patience, and an endless 503, are errors', async () => {
    addModel(hub.server, 'gpt2');
    hub.server.inject(onPath(/revision\/main/, 429, { 'retry-after': '3600' }), 1);
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(/answered 429 .*it asks to wait 3600 s/);
    hub.server.inject(onPath(/revision\/main/, 503));
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(/answered 503 \(tried 4 times\)/);
  });

  test.each([
    [
      /revision/,
      401,
      'RepoNotFound',
      '',
      /cannot find gpt2 at main: neither a folder nor a model.*set HF_TOKEN/,
    ],
    [/revision/, 404, 'RevisionNotFound', '', /gpt2 has no revision main \(404\)/],
    [/config/, 401, 'GatedRepo', '', /gated \(401\); accept its terms on http.*\/gpt2 and set HF_TOKEN/],
    [/config/, 403, 'GatedRepo', 'hf_abc', /gated \(403\); the account of the token in HF_TOKEN must accept/],
    [
      /revision/,
      401,
      '',
      'hf_old',
      /the hub refused the token in HF_TOKEN \(401: told\); renew or remove it/,
    ],
    [/revision/, 404, 'RepoNotFound', 'hf_abc', /whether the token in HF_TOKEN may read it/],
    [/config/, 404, 'EntryNotFound', '', /cannot fetch config.json of gpt2 at main: there is no such file/],
    [
      /config/,
      403,
      '',
      'hf_abc',
      /access is denied \(403: told\); check the rights of the token in HF_TOKEN/,
    ],
    [/revision/, 400, '', '', /127.0.0.1:\d+ answered 400: told/],
  ])('%s %i %s is one line that says what to do', async (path, status, code, token, message) => {
    addModel(hub.server, 'gpt2');
    if (token) hub.environment['HF_TOKEN'] = token;
    hub.server.inject((_request, response, seen) => {
      if (!path.test(seen.path)) return false;
      refuse(response, status, code, 'told');
      return true;
    });
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(message);
    expect(hub.notices).toEqual([]); // none of these is tried again
  });

  test('the token goes to the hub, and to no other host that it sends us to', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'somebody/private', files);
    hub.environment['HF_TOKEN'] = 'hf_secret';
    // A renamed repository is redirected on the hub itself: there the token must go along.
    hub.server.inject((_request, response, { path }) => {
      if (!path.startsWith('/api/models/private/')) return false;
      response.writeHead(307, { location: path.replace('/private/', '/somebody/private/') }).end();
      return true;
    });
    hub.server.models.set('private', hub.server.models.get('somebody/private')!);
    await hub.resolve('private');
    const to = (place: string) => hub.server.seen.filter((seen) => seen.place === place);
    expect(to('storage')).toHaveLength(1);
    for (const { headers } of to('storage')) {
      expect(headers.authorization).toBeUndefined();
      expect(JSON.stringify(headers)).not.toContain('hf_secret');
    }
    expect(to('hub').length).toBeGreaterThan(6);
    for (const { headers } of to('hub')) expect(headers.authorization).toBe('Bearer hf_secret');
  });

  test('redirects in circles, and a page that is not the hub, are errors', async () => {
    addModel(hub.server, 'gpt2');
    hub.server.inject(onPath(/config.json/, 302, { location: '?again' }));
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(/redirects in circles/);
    hub.server.inject((_request, response, { path }) => {
      if (!path.includes('/revision/')) return false;
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the hotel</h1>');
      return true;
    });
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(
      /does not answer as the hub does.*a login first/,
    );
  });
});

describe('no network', () => {
  async function closedPort(): Promise<number> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    await new Promise((closed) => server.close(closed));
    return port;
  }

  test('a server of another kind is asked once', async () => {
    let asked = 0;
    const server = createServer((socket) => {
      asked += 1;
      socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n');
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    hub.environment['HF_ENDPOINT'] = `http://127.0.0.1:${port}/`;
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(
      /cannot be reached: Response does not match/,
    );
    expect(asked).toBe(1);
    server.close();
  });

  test('without a cached copy is one line', async () => {
    hub.environment['HF_ENDPOINT'] = `http://127.0.0.1:${await closedPort()}/`;
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(
      /^cannot fetch gpt2 at main: 127.0.0.1:\d+ cannot be reached: ECONNREFUSED \(tried 3 times\); check the network/,
    );
    hub.environment['HF_HUB_OFFLINE'] = 'yes';
    expect((await failure(hub.resolve('gpt2'))).message).toMatch(
      /HF_HUB_OFFLINE is set and there is no cached copy/,
    );
    await expect(stat(hub.cacheFolder)).rejects.toThrow(/ENOENT/);
  });

  test('with a cached copy uses it, and says so', async () => {
    addModel(hub.server, 'gpt2');
    const first = await hub.resolve('gpt2');
    hub.environment['HF_ENDPOINT'] = `http://127.0.0.1:${await closedPort()}`;
    expect(await hub.resolve('gpt2')).toEqual(first);
    expect(hub.notices.at(-1)).toMatch(/gives no answer: using the cached gpt2 at c0ffee00c0ff$/);
    await failure(hub.resolve('gpt2', { revision: 'step1000' }));
    // A part of a copy is no copy.
    await writeFile(inCache('refs', 'half'), OTHER_COMMIT);
    await mkdir(inCache('snapshots', OTHER_COMMIT));
    await failure(hub.resolve('gpt2', { revision: 'half' }));
    hub.environment['HF_HUB_OFFLINE'] = '1';
    expect((await failure(hub.resolve('gpt2', { revision: 'half' }))).message).toMatch(
      /the cached copy lacks config.json/,
    );
  });
});

describe('a cache folder that refuses', () => {
  test.each([
    ['the cache folder is a file', []],
    ['blobs is a file', ['models--gpt2', 'blobs']],
    ['snapshots is a file', ['models--gpt2', 'snapshots']],
    ['the locks are a file', ['.locks']],
  ])('%s: one line', async (_name, path) => {
    addModel(hub.server, 'gpt2');
    await mkdir(join(hub.cacheFolder, ...path, '..'), { recursive: true });
    await writeFile(join(hub.cacheFolder, ...path), 'in the way');
    const error = await failure(hub.resolve('gpt2'));
    expect(error.message).toMatch(
      /^cannot use the cache folder .*: a file is where a folder must be; remove it, or name another one in HF_HUB_CACHE$/,
    );
    expect(await readFile(join(hub.cacheFolder, ...path), 'utf8')).toBe('in the way');
  });

  test.each([
    ['ENOSPC', /the disk is full; free space there, or name another one in HF_HUB_CACHE/],
    ['EROFS', /it is read-only/],
    ['EIO', /check the disk/],
  ])('%s is one line', (code, message) => {
    const cause = Object.assign(new Error(code), { code, syscall: 'write', path: '/cache/blobs/x' });
    expect(cacheFault(cause, '/cache').message).toMatch(message);
  });
});
