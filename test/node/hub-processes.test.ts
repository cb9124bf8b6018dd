import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { build } from 'vite';
import { etagOf, largeFile } from '../support/hub-server.ts';
import type { Fault } from '../support/hub-server.ts';
import { COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';

const hub = useHub();
const WEIGHTS = largeFile(200_000);
const ETAG = etagOf(WEIGHTS);
const FILES = singleFileModel(WEIGHTS);

function inBlobs(name = ''): string {
  return join(hub.cacheFolder, 'models--gpt2', 'blobs', name);
}

async function partials(): Promise<string[]> {
  return (await readdir(inBlobs())).filter((name) => name.endsWith('.incomplete'));
}

/** Waits until the weights' partial file has a length. (Those of the small files come and go meanwhile.) */
async function untilArrived(length: number): Promise<void> {
  for (let size = -1; size !== length; await new Promise((passed) => setTimeout(passed, 10))) {
    const names = await partials().catch(() => []);
    const name = names.find((each) => each.startsWith(ETAG));
    size = name === undefined ? -1 : (await stat(inBlobs(name))).size;
  }
}

/** Sends the first `length` bytes of the weights, then nothing more. */
function stallAfter(length: number): Fault {
  return (_request, response, { place }) => {
    if (place !== 'storage') return false;
    response.writeHead(200, { 'content-length': WEIGHTS.bytes.length });
    response.write(WEIGHTS.bytes.subarray(0, length));
    return true;
  };
}

/** Sends a part of the weights, and the rest once another download has met this one. */
function sendOnce(hasMet: () => boolean): Fault {
  return (_request, response, { place }) => {
    if (place !== 'storage') return false;
    response.writeHead(200, { 'content-length': WEIGHTS.bytes.length });
    response.write(WEIGHTS.bytes.subarray(0, 100_000));
    const look = setInterval(() => {
      if (!hasMet()) return;
      clearInterval(look);
      response.end(WEIGHTS.bytes.subarray(100_000));
    }, 5);
    return true;
  };
}

/** The ranges that the weights were asked for with. */
function ranges(): (string | undefined)[] {
  return hub.server.seen.filter(({ place }) => place === 'storage').map(({ headers }) => headers.range);
}

async function expectWhole(folder: string): Promise<void> {
  expect((await readFile(join(folder, 'model.safetensors'))).equals(WEIGHTS.bytes)).toBe(true);
  expect(await partials()).toEqual([]);
  expect((await readdir(inBlobs())).length).toBe(4);
  const locks = await readdir(join(hub.cacheFolder, '.locks', 'models--gpt2'));
  expect(locks.filter((name) => name.includes('laminar'))).toEqual([]);
}

/** Starts a download and aborts it once the given bytes lie on the disk. */
async function abortAfter(length: number): Promise<void> {
  const controller = new AbortController();
  hub.server.inject(stallAfter(length), 1);
  const stopped = hub.resolve('gpt2', { signal: controller.signal }).catch((error: unknown) => error);
  await untilArrived(length);
  controller.abort();
  expect(await stopped).toBe(controller.signal.reason);
}

describe('a stopped download', () => {
  test('leaves ETAG.incomplete, and the next one goes on from there', async () => {
    addModel(hub.server, 'gpt2', FILES);
    await abortAfter(60_000);
    expect(await partials()).toEqual([`${ETAG}.incomplete`]);
    expect((await readFile(inBlobs(`${ETAG}.incomplete`))).equals(WEIGHTS.bytes.subarray(0, 60_000))).toBe(
      true,
    );
    const calls: number[] = [];
    const { folder } = await hub.resolve('gpt2', { onProgress: ({ bytesDone }) => calls.push(bytesDone) });
    expect(ranges()).toEqual([undefined, 'bytes=60000-']);
    expect(calls[0]).toBeGreaterThan(60_000);
    expect(calls.at(-1)).toBe(200_000);
    await expectWhole(folder);
  });

  test('does not begin when the signal is aborted already', async () => {
    addModel(hub.server, 'gpt2', FILES);
    await expect(hub.resolve('gpt2', { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
    expect(hub.server.seen).toEqual([]);
  });

  test('can be Python’s: its rest is resumed, a spoilt one is fetched anew, a full one only checked', async () => {
    addModel(hub.server, 'gpt2', FILES);
    await mkdir(inBlobs(), { recursive: true });
    await writeFile(inBlobs(`${ETAG}.incomplete`), WEIGHTS.bytes.subarray(0, 70_000));
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(ranges()).toEqual(['bytes=70000-']);

    await rm(hub.cacheFolder, { recursive: true });
    hub.server.seen.length = 0;
    await mkdir(inBlobs(), { recursive: true });
    await writeFile(inBlobs(`${ETAG}.incomplete`), Buffer.alloc(80_000));
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(ranges()).toEqual(['bytes=80000-', undefined]);
    expect(hub.notices.at(-1)).toMatch(/arrived with SHA-256 .* fetching it again/);

    await rm(hub.cacheFolder, { recursive: true });
    hub.server.seen.length = 0;
    await mkdir(inBlobs(), { recursive: true });
    await writeFile(inBlobs(`${ETAG}.incomplete`), WEIGHTS.bytes);
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(ranges()).toEqual([]);
  });

  test('that Python may be writing at this moment is copied, not taken', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const locks = join(hub.cacheFolder, '.locks', 'models--gpt2');
    await Promise.all([inBlobs(), locks].map((folder) => mkdir(folder, { recursive: true })));
    await writeFile(join(locks, `${ETAG}.lock`), '');
    const rest = WEIGHTS.bytes.subarray(0, 70_000);
    await writeFile(inBlobs(`${ETAG}.incomplete`), rest);
    const { folder } = await hub.resolve('gpt2');
    expect(ranges()).toEqual(['bytes=70000-']);
    expect((await readFile(join(folder, 'model.safetensors'))).equals(WEIGHTS.bytes)).toBe(true);
    expect((await readFile(inBlobs(`${ETAG}.incomplete`))).equals(rest)).toBe(true);
  });
});

describe('several at once', () => {
  test('calls in one process fetch each file once', async () => {
    addModel(hub.server, 'gpt2', FILES);
    hub.server.inject(
      sendOnce(() => hub.notices.some((line) => /^waiting .* model\.safetensors/.test(line))),
    );
    const found = await Promise.all([hub.resolve('gpt2'), hub.resolve('gpt2'), hub.resolve('gpt2')]);
    expect(ranges()).toEqual([undefined]);
    expect(hub.server.bodiesOf('config.json')).toHaveLength(1);
    expect(hub.notices).toContain(
      'waiting for another process that fetches model.safetensors of gpt2 at main',
    );
    for (const { folder } of found) await expectWhole(folder);
  });

  test('waiting ends with the signal', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const controller = new AbortController();
    let isOver = false;
    hub.server.inject(sendOnce(() => isOver));
    const first = hub.resolve('gpt2');
    while (ranges().length === 0) await new Promise((passed) => setTimeout(passed, 5));
    const second = hub
      .resolve('gpt2', {
        signal: controller.signal,
        onNotice: () => {
          controller.abort();
        },
      })
      .catch((error: unknown) => error);
    expect(await second).toBe(controller.signal.reason);
    isOver = true;
    expect(controller.signal.aborted).toBe(true);
    await expectWhole((await first).folder);
  });

  test('a lock that its holder left long ago is taken over', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const locks = join(hub.cacheFolder, '.locks', 'models--gpt2');
    await mkdir(locks, { recursive: true });
    const lock = join(locks, `${ETAG}.laminar.lock`);
    await writeFile(lock, 'laminar-00000000-1-000000000000'); // another machine's
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(hub.notices).toEqual([]);
  });
});

describe('several processes', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    // Inside the project, so that the package it imports is found.
    await mkdir('node_modules/.cache', { recursive: true });
    folder = await mkdtemp('node_modules/.cache/laminar-hub-');
    await build({
      configFile: false,
      logLevel: 'silent',
      build: {
        ssr: 'src/node/hub.ts',
        outDir: folder,
        rollupOptions: { output: { entryFileNames: 'hub.mjs' } },
      },
    });
    await writeFile(
      join(folder, 'fetch.mjs'),
      `import { resolveModelFolder } from './hub.mjs';
       const onNotice = (line) => console.error(line);
       console.log((await resolveModelFolder('gpt2', { onNotice, retryDelay: 2 })).folder);`,
    );
  });
  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  function start(): { child: ChildProcess; ended: Promise<{ stdout: string; stderr: string }> } {
    const child = spawn(process.execPath, [join(folder, 'fetch.mjs')], {
      env: { PATH: process.env['PATH'], ...hub.environment },
    });
    children.push(child);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text) => (stdout += String(text)));
    child.stderr.on('data', (text) => (stderr += String(text)));
    const ended = new Promise<{ stdout: string; stderr: string }>((done) => {
      child.on('close', () => {
        done({ stdout, stderr });
      });
    });
    return { child, ended };
  }

  test('fetch each file once, and all get it whole', async () => {
    addModel(hub.server, 'gpt2', FILES);
    // Both have asked what the model consists of.
    hub.server.inject(
      sendOnce(() => hub.server.seen.filter(({ path }) => path.includes('/revision/')).length >= 2),
    );
    const answers = await Promise.all([start().ended, start().ended]);
    const snapshot = join(hub.cacheFolder, 'models--gpt2', 'snapshots', COMMIT);
    for (const { stdout } of answers) expect(stdout).toBe(`${snapshot}\n`);
    await expectWhole(snapshot);
    expect(ranges()).toEqual([undefined]);
  });

  test('one that is killed leaves a cache in which the next goes on', async () => {
    addModel(hub.server, 'gpt2', FILES);
    hub.server.inject(stallAfter(90_000), 1);
    const { child, ended } = start();
    await untilArrived(90_000);
    child.kill('SIGKILL');
    await ended;
    expect(await readdir(inBlobs())).not.toContain(ETAG);
    expect(await readdir(join(hub.cacheFolder, 'models--gpt2', 'snapshots', COMMIT))).not.toContain(
      'model.safetensors',
    );
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(ranges()).toEqual([undefined, 'bytes=90000-']);
  });
});
