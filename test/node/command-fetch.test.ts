import { readFile, readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMIT, OTHER_COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';
import { etagOf, largeFile } from '../support/hub-server.ts';
import { complaints, laminar, startLaminar } from './run-command.ts';
import { laminarHere } from './run-here.ts';

const hub = useHub();
const WEIGHTS = largeFile(200_000);

test('laminar fetch prints the folder, with a network and without', async () => {
  addModel(hub.server, 'somebody/model', singleFileModel(WEIGHTS), ['main']);
  addModel(hub.server, 'somebody/model', singleFileModel(WEIGHTS), ['step1000'], OTHER_COMMIT);
  const snapshots = join(hub.cacheFolder, 'models--somebody--model', 'snapshots');
  const fetch = (...flags: string[]) => laminarHere(['fetch', ...flags], { env: hub.environment });

  const step = await laminar(['fetch', 'somebody/model', '--revision', 'step1000'], {
    env: hub.environment,
  });
  expect(complaints(step)).toBe('');
  expect(step).toMatchObject({ code: 0, stdout: `${join(snapshots, OTHER_COMMIT)}\n` });
  hub.environment['HF_HUB_OFFLINE'] = '1';
  expect(await fetch('somebody/model', '--revision', 'step1000')).toEqual(step);
  const page = `${hub.server.endpoint}/somebody/model/tree/step1000`;
  expect(await fetch(page)).toEqual(step);
  const main = await fetch('somebody/model');
  expect(main).toMatchObject({ code: 1, stdout: '' });
  expect(complaints(main)).toMatch(/^laminar: cannot fetch somebody\/model at main: HF_HUB_OFFLINE is set/);
});

test('Ctrl-C during a fetch leaves a cache in which the next one goes on', async () => {
  addModel(hub.server, 'gpt2', singleFileModel(WEIGHTS));
  hub.server.inject((_request, response, { place }) => {
    if (place !== 'storage') return false;
    response.writeHead(200, { 'content-length': WEIGHTS.bytes.length });
    response.write(WEIGHTS.bytes.subarray(0, 60_000)); // and no more
    return true;
  }, 1);
  const blobs = join(hub.cacheFolder, 'models--gpt2', 'blobs');
  const { child, ended } = startLaminar(['fetch', 'gpt2'], { env: hub.environment });
  for (let arrived = 0; arrived < 60_000; await new Promise((passed) => setTimeout(passed, 20))) {
    const names = await readdir(blobs).catch(() => []);
    const partial = names.find((name) => name.startsWith(etagOf(WEIGHTS)));
    arrived =
      partial === undefined ? 0 : ((await stat(join(blobs, partial)).catch(() => undefined))?.size ?? 0);
  }
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: 130, stdout: '', stderr: 'laminar: interrupted\n' });
  expect(await readdir(blobs)).toContain(`${etagOf(WEIGHTS)}.incomplete`);
  expect(await readdir(blobs)).not.toContain(etagOf(WEIGHTS));
  expect(await readdir(join(hub.cacheFolder, '.locks', 'models--gpt2'))).toEqual([]);

  const next = await laminar(['fetch', 'gpt2'], { env: hub.environment });
  const folder = join(hub.cacheFolder, 'models--gpt2', 'snapshots', COMMIT);
  expect(next).toEqual({ code: 0, stdout: `${folder}\n`, stderr: '' });
  expect((await readFile(join(folder, 'model.safetensors'))).equals(WEIGHTS.bytes)).toBe(true);
  expect(hub.server.bodiesOf('model.safetensors').at(-1)?.headers.range).toBe('bytes=60000-');
});

test('Ctrl-C is heard while a connection is being made', async () => {
  let isAsked: () => void;
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  const sockets: Socket[] = [];
  const silent = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    isAsked();
  });
  await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
  const { port } = silent.address() as AddressInfo;
  const env = { ...hub.environment, HF_ENDPOINT: `https://127.0.0.1:${port}` };
  const { child, ended } = startLaminar(['fetch', 'gpt2'], { env });
  await asked; // the handshake gets no answer
  child.kill('SIGINT');
  const result = await ended; // before anybody closes the connection
  for (const socket of sockets) socket.destroy();
  silent.close();
  expect(result).toMatchObject({ code: 130, stdout: '', stderr: 'laminar: interrupted\n' });
});
