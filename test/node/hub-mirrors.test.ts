import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { HubError } from '../../src/node/hub.ts';
import { COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';
import { etagOf, largeFile, textFile } from '../support/hub-server.ts';
import type { Fault, HubFile } from '../support/hub-server.ts';

const hub = useHub();
const FETCHED = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

/** Serves until the test ends; returns the address. */
async function serve(listener: RequestListener, setUp = (_server: ReturnType<typeof createServer>) => {}) {
  const server = createServer(listener);
  setUp(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A web server that has a model's files under the hub's addresses, and nothing else. */
function plainServer(
  files: Record<string, HubFile>,
  headers: Record<string, string> = {},
  revision = 'main',
) {
  const seen: string[] = [];
  const listener: RequestListener = (request, response) => {
    seen.push(request.url ?? '');
    const [before, name = ''] = (request.url ?? '').split(`/resolve/${revision}/`);
    const file = before === '/somebody/model' ? files[name] : undefined;
    if (!file) return void response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not Found</h1>');
    response.writeHead(200, { 'content-length': file.bytes.length, ...headers }).end(file.bytes);
  };
  return { seen, listener };
}

describe('a mirror that has files alone', () => {
  test('is asked for the known names; its listing stands for a commit', async () => {
    const files: Record<string, HubFile> = singleFileModel();
    const { listener } = plainServer(files);
    hub.environment['HF_ENDPOINT'] = `http://${await serve(listener)}`;
    const { folder, revision } = await hub.resolve('somebody/model');
    expect(revision).toBeNull();
    expect((await readdir(folder)).sort()).toEqual(FETCHED);
    for (const name of FETCHED) expect(await readFile(join(folder, name))).toEqual(files[name]!.bytes);
    hub.environment['HF_HUB_OFFLINE'] = '1';
    expect(await hub.resolve('somebody/model')).toEqual({ folder, revision });
    Reflect.deleteProperty(hub.environment, 'HF_HUB_OFFLINE');
    files['config.json'] = textFile({ model_type: 'gpt_neox', changed: true });
    const changed = await hub.resolve('somebody/model');
    expect(changed.folder).not.toBe(folder);
    expect(await readFile(join(changed.folder, 'config.json'))).toEqual(files['config.json'].bytes);
  });

  test('may have shards in folders and the older tokenizer', async () => {
    const shard = 'parts/model-00001-of-00001.safetensors';
    const files = {
      'config.json': textFile({}),
      'vocab.json': textFile({ a: 0 }),
      'merges.txt': textFile('#version: 0.2'),
      'model.safetensors.index.json': textFile({ weight_map: { a: shard } }),
      [shard]: largeFile(3000),
    };
    hub.environment['HF_ENDPOINT'] = `http://${await serve(plainServer(files).listener)}`;
    const { folder } = await hub.resolve('somebody/model');
    for (const [name, { bytes }] of Object.entries(files)) {
      expect(await readFile(join(folder, ...name.split('/')))).toEqual(bytes);
    }
  });

  test.each([
    ['by the commit', COMMIT],
    ['by the name', 'main'],
  ])('and tells commits, but lists no files, is asked for them %s', async (_, revision) => {
    const files = singleFileModel();
    // Files may be called pages, which are told from pages by how they begin.
    const { listener } = plainServer(files, { 'content-type': 'text/html' }, revision);
    const withCommits: RequestListener = (request, response) => {
      if (request.url !== '/api/models/somebody/model/revision/main') listener(request, response);
      else response.end(JSON.stringify({ sha: COMMIT }));
    };
    hub.environment['HF_ENDPOINT'] = `http://${await serve(withCommits)}`;
    const { folder } = await hub.resolve('somebody/model');
    expect((await readdir(folder)).sort()).toEqual(FETCHED);
    expect(await hub.resolve('somebody/model')).toEqual({ folder, revision: null });
  });

  test('that tells the commit is believed', async () => {
    const { listener } = plainServer(singleFileModel(), { 'x-repo-commit': COMMIT });
    hub.environment['HF_ENDPOINT'] = `http://${await serve(listener)}`;
    expect((await hub.resolve('somebody/model')).revision).toBe(COMMIT);
  });

  test('without the model is an error, and so is a login page that answers to every address', async () => {
    hub.environment['HF_ENDPOINT'] = `http://${await serve(plainServer({}).listener)}`;
    await expect(hub.resolve('somebody/model')).rejects.toThrow(/cannot find somebody\/model at main.*404/);
    const page: RequestListener = (_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the hotel</h1>');
    hub.environment['HF_ENDPOINT'] = `http://${await serve(page)}`;
    await expect(hub.resolve('somebody/model')).rejects.toThrow(/does not answer as the hub does/);
  });
});

describe('a server that compresses unasked', () => {
  test.each([
    ['and states the length of what it sends', (packed: Buffer) => packed.length],
    ['and states the length of the file', (_packed: Buffer, file: Buffer) => file.length],
    ['and states no length', () => undefined],
  ])('%s', async (_name, lengthOf) => {
    const files = { ...singleFileModel(), 'config.json': textFile({ note: 'x'.repeat(20_000) }) };
    addModel(hub.server, 'gpt2', files);
    const compress: Fault = (_request, response, { path }) => {
      if (!path.endsWith('/config.json')) return false;
      const { bytes } = files['config.json'];
      const packed = gzipSync(bytes);
      const length = lengthOf(packed, bytes);
      response.writeHead(200, {
        'content-encoding': 'gzip',
        ...(length === undefined ? {} : { 'content-length': length }),
      });
      response.write(packed);
      if (length === undefined || length === packed.length) response.end();
      return true;
    };
    hub.server.inject(compress);
    const { folder } = await hub.resolve('gpt2');
    expect(await readFile(join(folder, 'config.json'))).toEqual(files['config.json'].bytes);
    expect(hub.notices).toEqual([]);
  });

  test('is asked for the whole again where it would resume', async () => {
    const weights = { ...largeFile(50_000), lfs: false };
    addModel(hub.server, 'gpt2', singleFileModel(weights));
    const ranges: (string | undefined)[] = [];
    hub.server.inject((request, response, { path }) => {
      if (!path.endsWith('/model.safetensors')) return false;
      ranges.push(request.headers.range);
      const isFirst = ranges.length === 1;
      const part = isFirst ? weights.bytes : gzipSync(weights.bytes);
      response.writeHead(request.headers.range === undefined ? 200 : 206, {
        ...(isFirst ? { 'content-length': part.length } : { 'content-encoding': 'gzip' }),
      });
      if (!isFirst) response.end(part);
      else response.write(part.subarray(0, 7000), () => setTimeout(() => response.destroy(), 100));
      return true;
    });
    const { folder } = await hub.resolve('gpt2');
    expect(ranges).toEqual([undefined, 'bytes=7000-', undefined]);
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights.bytes);
  });
});

describe('the answers of the hub', () => {
  test.each([
    ['no list', {}],
    ['an entry without a hash', [{ type: 'file', path: 'config.json', size: 3 }]],
    ['a negative length', [{ type: 'file', path: 'config.json', size: -3, oid: COMMIT }]],
    ['a path that leads out', [{ type: 'file', path: '../config.json', size: 3, oid: COMMIT }]],
  ])('must be of the right type: %s', async (_name, listing) => {
    addModel(hub.server, 'gpt2');
    hub.server.inject((_request, response, { path }) => {
      if (!path.includes('/tree/')) return false;
      response.end(JSON.stringify(listing));
      return true;
    });
    await expect(hub.resolve('gpt2')).rejects.toThrow(/does not answer as the hub does/);
  });

  test('come in pages, but not for ever', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    const entries = Object.entries(files).map(([path, file]) => ({
      type: 'file',
      path,
      size: file.bytes.length,
      oid: etagOf(file),
      ...(file.lfs ? { lfs: { oid: etagOf(file), size: file.bytes.length } } : {}),
    }));
    let isEndless = false;
    hub.server.inject((request, response, { path }) => {
      if (!path.includes('/tree/')) return false;
      const page = Number(/page=(\d+)/.exec(request.url ?? '')?.[1] ?? 0);
      const next = `<${path}?page=${page + 1}>; rel="next"`;
      response.writeHead(200, isEndless || page < entries.length - 1 ? { link: next } : {});
      response.end(JSON.stringify(entries.slice(page, page + 1)));
      return true;
    });
    expect((await readdir((await hub.resolve('gpt2')).folder)).sort()).toEqual(FETCHED);
    isEndless = true;
    await expect(hub.resolve('gpt2', { thorough: true })).resolves.toBeDefined(); // the cached copy stands in
    expect(hub.server.seen.filter(({ path }) => path.includes('/tree/')).length).toBeLessThan(150);
  });

  test('must be of a size', async () => {
    hub.server.inject((_request, response) => {
      const blank = Buffer.alloc(2 ** 20, ' ');
      const more = (): void => void (response.writable && response.write(blank, more));
      response.writeHead(200, { 'content-type': 'application/json' });
      more();
      return true;
    });
    await expect(hub.resolve('gpt2')).rejects.toThrow(HubError);
  });
});

describe('a proxy', () => {
  test('carries plain requests and tunnels, with its name and password', async () => {
    addModel(hub.server, 'gpt2');
    const asked: string[] = [];
    const address = await serve(
      (request, response) => {
        asked.push(`${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`);
        void fetch(hub.server.endpoint + new URL(request.url ?? '').pathname).then(async (answer) => {
          response.writeHead(answer.status).end(Buffer.from(await answer.arrayBuffer()));
        });
      },
      (server) =>
        server.on('connect', (request, socket) => {
          asked.push(`CONNECT ${request.url ?? ''} ${request.headers['proxy-authorization'] ?? ''}`);
          socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
        }),
    );
    const login = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    hub.environment['HF_ENDPOINT'] = 'http://hub.example';
    hub.environment['ALL_PROXY'] = `http://me:secret@${address}`;
    const { revision } = await hub.resolve('gpt2');
    expect(revision).toBe(COMMIT);
    expect(asked[0]).toBe(`http://hub.example/api/models/gpt2/revision/main ${login}`);
    expect(asked).toContain(`http://hub.example/gpt2/resolve/${COMMIT}/model.safetensors ${login}`);

    asked.length = 0;
    hub.environment['HF_ENDPOINT'] = 'https://hub.example';
    const failure = await hub.resolve('other').catch((error: unknown) => error);
    expect(asked).toEqual([`CONNECT hub.example:443 ${login}`]);
    expect((failure as Error).message).toMatch(/the proxy 127.0.0.1:\d+ answered 403; check ALL_PROXY/);
    expect((failure as Error).message).not.toMatch(/secret/);

    asked.length = 0;
    hub.environment['HF_ENDPOINT'] = hub.server.endpoint;
    hub.environment['NO_PROXY'] = 'localhost,127.0.0.0/8';
    await hub.resolve('gpt2', { thorough: true });
    expect(asked).toEqual([]);
  });

  test('that wants a password says so at once', async () => {
    const address = await serve((_request, response) => response.writeHead(407).end());
    hub.environment['HF_ENDPOINT'] = 'http://hub.example';
    hub.environment['http_proxy'] = address;
    await expect(hub.resolve('gpt2')).rejects.toThrow(
      /answered 407; it wants a name and a password: put them into http_proxy as http:\/\/NAME:PASSWORD@127/,
    );
    expect(hub.notices).toEqual([]);
  });
});

test('a name and a password in HF_ENDPOINT go along and are never shown', async () => {
  addModel(hub.server, 'gpt2');
  hub.environment['HF_ENDPOINT'] = hub.server.endpoint.replace('//', '//me:secret@');
  await hub.resolve('gpt2');
  const login = `Basic ${Buffer.from('me:secret').toString('base64')}`;
  const on = (place: string) => hub.server.seen.filter((seen) => seen.place === place);
  for (const { headers } of on('hub')) expect(headers.authorization).toBe(login);
  for (const { headers } of on('storage')) expect(headers.authorization).toBeUndefined();
  const failure = await hub.resolve('nothing').catch((error: unknown) => error);
  expect((failure as Error).message).not.toMatch(/secret/);
});

test('an abort is heard while an answer is awaited and while a repetition is', async () => {
  for (const status of [undefined, 503]) {
    const controller = new AbortController();
    hub.server.reset();
    hub.server.inject((_request, response) => {
      if (status !== undefined) response.writeHead(status, { 'retry-after': '200' }).end();
      setTimeout(() => {
        controller.abort(new Error('stop'));
      }, 20);
      return true;
    });
    await expect(hub.resolve('gpt2', { signal: controller.signal })).rejects.toThrow('stop');
  }
});
