import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FileError } from '../../src/engine/errors.ts';
import { openFile } from '../../src/node/files.ts';
import { fetchText } from '../../src/node/network/remote-text.ts';
import type { RemoteTextOptions } from '../../src/node/network/remote-text.ts';
import { readTextBytes, readWholeFile } from '../../src/node/text-source.ts';
import { temporaryFolder } from './temporary-folder.ts';

const TEXT = Buffer.from('Alice was beginning to get very tired. '.repeat(50));

/** Serves until the test ends. */
async function serve(listener: RequestListener): Promise<{ address: string; server: Server }> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

const notices: string[] = [];

function get(address: string, options: Partial<RemoteTextOptions> = {}) {
  notices.length = 0;
  return fetchText(address, {
    signal: undefined,
    environment: {},
    retryDelay: 2,
    onNotice: (line) => notices.push(line),
    ...options,
  });
}

async function failure(attempt: Promise<unknown>): Promise<string> {
  const error: unknown = await attempt.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FileError);
  expect((error as Error).message).not.toMatch(/[\r\n]|secret/);
  return (error as Error).message;
}

describe('a text by address', () => {
  test('comes with the encoding that the server declares, and progress', async () => {
    const { address } = await serve((_request, response) => {
      const headers = { 'content-type': 'text/plain; Charset="ISO-8859-1"', 'content-length': TEXT.length };
      response.writeHead(200, headers).end(TEXT);
    });
    const amounts: number[][] = [];
    const text = await get(`${address}/a`, { onBytes: (done, total) => amounts.push([done, total]) });
    expect(text).toEqual({
      source: `${address}/a`,
      charset: 'ISO-8859-1',
      bytes: new Uint8Array(TEXT),
    });
    expect(amounts.at(-1)).toEqual([TEXT.length, TEXT.length]);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['gzip, br', (text: Buffer) => brotliCompressSync(gzipSync(text))],
  ] as const)('is decompressed: %s', async (coding, compress) => {
    const { address } = await serve((request, response) => {
      expect(request.headers['accept-encoding']).toContain(coding.split(',')[0]);
      response.writeHead(200, { 'content-encoding': coding }).end(compress(TEXT));
    });
    expect((await get(address)).bytes).toEqual(new Uint8Array(TEXT));
  });

  test.each([
    ['by its length', (_packed: Buffer) => ({ body: TEXT, headers: { 'content-length': TEXT.length } })],
    ['as it comes', (_packed: Buffer) => ({ body: TEXT, headers: {} })],
    ['after decompression', (packed: Buffer) => ({ body: packed, headers: { 'content-encoding': 'gzip' } })],
  ])('must not be too large, %s', async (_name, make) => {
    const { body, headers } = make(gzipSync(TEXT));
    const { address } = await serve((_request, response) => response.writeHead(200, headers).end(body));
    expect(await failure(get(address, { limit: 1024 }))).toMatch(/the text is larger than .* MiB/);
    expect(notices).toEqual([]);
  });

  test('that is cut short is asked for again, and given up in the end', async () => {
    let tries = 0;
    const cutBy = (times: number): RequestListener => {
      tries = 0;
      return (_request, response) => {
        response.writeHead(200, { 'content-length': TEXT.length });
        if (++tries > times) response.end(TEXT);
        else response.write(TEXT.subarray(0, 100), () => response.destroy());
      };
    };
    const once = await serve(cutBy(1));
    expect((await get(once.address)).bytes).toEqual(new Uint8Array(TEXT));
    expect(notices).toHaveLength(1);
    const always = await serve(cutBy(Infinity));
    expect(await failure(get(always.address))).toMatch(/the connection was cut: .* \(tried 4 times\); check/);
  });

  test('that is compressed and cut short is not taken', async () => {
    const { address } = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(TEXT).subarray(0, -12));
    });
    expect(await failure(get(address))).toMatch(/compressed answer is damaged or cut short/);
  });

  test('is asked for again where the server is busy or silent, and not where it refuses', async () => {
    let answers: (number | undefined)[] = [503, undefined, 429];
    const { address } = await serve((_request, response) => {
      const status = answers.length > 0 ? answers.shift() : 200;
      if (status !== undefined) response.writeHead(status, { 'retry-after': '0' }).end(TEXT);
    });
    expect((await get(address, { silence: 500 })).bytes).toHaveLength(TEXT.length);
    // On a busy machine an answer that is on its way may seem silent, too.
    expect(notices.length).toBeGreaterThanOrEqual(3);
    for (const status of [401, 403, 404, 410]) {
      answers = [status];
      expect(await failure(get(address))).toMatch(
        new RegExp(`the server answered ${status}; check the address`),
      );
      expect(notices).toEqual([]);
    }
  });

  test('ends with the signal', async () => {
    const { address } = await serve(() => undefined);
    const attempt = get(address, { signal: AbortSignal.timeout(50) });
    await expect(attempt).rejects.toThrow(/timeout/);
  });

  test('may be redirected, with its password for its own host alone', async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(TEXT);
    });
    const { address } = await serve((request, response) => {
      seen.push(request.headers.authorization);
      const next = request.url === '/a' ? '/b' : `${other.address}/c`;
      response.writeHead(302, { location: next }).end();
    });
    const text = await get(address.replace('//', '//me:secret@') + '/a');
    expect(text.source).toBe(`${address}/a`);
    const login = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    expect(seen).toEqual([login, login, undefined]);
  });

  test.each([
    ['?', /redirects in circles/],
    ['file:///etc/passwd', /redirects from http: to file:/],
    ['http://', /redirects to what is not an address/],
  ])('is not redirected to %s', async (location, message) => {
    const { address } = await serve((_request, response) => response.writeHead(302, { location }).end());
    expect(await failure(get(`${address.replace('//', '//me:secret@')}/`))).toMatch(message);
  });

  test.each([
    'http://127.0.0.1/',
    'http://localhost/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://10.0.0.1/',
    'http://169.254.169.254/latest/meta-data',
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[fd00::1]/',
    'http://intranet/',
  ])('of the public internet is not redirected to %s', async (location) => {
    const proxy = await serve((_request, response) => response.writeHead(302, { location }).end());
    const attempt = get('http://public.example/a', { environment: { HTTP_PROXY: proxy.address } });
    expect(await failure(attempt)).toMatch(/redirects to .*, which is not a public address/);
  });

  test('must have an address that can be one, of a kind that is read', async () => {
    expect(await failure(get('http://me:secret@:99999/'))).toMatch(/is not a valid address/);
    const options = { signal: undefined, onNotice: () => undefined };
    expect(await failure(readTextBytes('ftp://me:secret@host/a', options))).toMatch(/ftp addresses cannot/);
  });
});

describe('a file', () => {
  test('is read whole, and not beyond the bound', async () => {
    const path = join(await temporaryFolder(), 'text');
    await writeFile(path, TEXT);
    expect(await readWholeFile(path)).toEqual(new Uint8Array(TEXT));
    await expect(readWholeFile(path, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    expect(spawnSync('truncate', ['-s', '300M', path]).status).toBe(0);
    expect(await failure(readWholeFile(path))).toMatch(/is larger than 256 MiB/);
  });

  test('that is something else is refused by name, and not waited for', async () => {
    const folder = await temporaryFolder();
    const pipe = join(folder, 'pipe');
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0);
    expect(await failure(readWholeFile(pipe))).toMatch(/is not a file but a pipe; .*--text -/);
    expect(await failure(openFile(pipe))).toMatch(/is not a file but a pipe/);
    for (const read of [readWholeFile, openFile]) {
      expect(await failure(read('/dev/zero'))).toMatch(/^\/dev\/zero: is not a file but a device/);
      expect(await failure(read(folder))).toMatch(/is not a file but a folder/);
    }
  });
});
