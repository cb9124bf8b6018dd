import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page, Route } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/analysis/report.ts';
import { goldenFiles } from '../support/golden.ts';
import { pageFolder } from './build-page.ts';
import { sharedBrowser, Visit } from './open-page.ts';
import { PageServer } from './page-server.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await sharedBrowser();
});

const kept = (visit: Visit) => visit.page.locator('#kept li').allTextContents();

test('a second visit needs no network: neither for the page nor for the model', async () => {
  const server = await PageServer.start();
  const first = await Visit.open(browser, server);
  await first.page.evaluate(() => navigator.serviceWorker.ready);
  await first.page.locator('#model').selectOption('alice-pythia');
  await first.fill('Length', '16');
  // A file that is not there for a moment is not missed for ever.
  await first.context.route('**/config.json', (route) => route.fulfill({ status: 404 }));
  expect(await first.run()).toMatch(/has no config\.json/);
  await first.context.unroute('**/config.json');
  expect(await first.run()).toBeUndefined();
  const before = await first.table();
  await expect.poll(() => kept(first)).toEqual([expect.stringMatching(/^alice-pythia, 3\.\d+ MBDelete$/)]);
  // By the keyboard: figures that are still being drawn move the page under a pointer.
  await first.page.getByRole('button', { name: 'Keep this run' }).press('Enter');
  await first.page.locator('#status').filter({ hasText: 'Kept' }).waitFor();
  await server.stop();

  await first.page.reload();
  await first.page.getByRole('button', { name: 'Show alice-pythia' }).press('Enter');
  await first.page
    .locator('#summary')
    .filter({ hasText: /^alice-pythia / })
    .waitFor();
  expect(await first.table()).toEqual(before);
  await first.page.locator('#model').selectOption('alice-pythia');
  await first.fill('Length', '16');
  expect(await first.run()).toBeUndefined();
  expect(await first.table()).toEqual(before);
  await first.page.getByRole('button', { name: 'PNG' }).first().press('Enter');
  await first.page.getByRole('alert').filter({ hasText: 'A part of the page could not be loaded' }).waitFor();

  await first.page.getByRole('button', { name: 'Delete alice-pythia' }).press('Enter');
  await expect.poll(() => kept(first)).toEqual(['Nothing yet.']);
  expect(await first.run()).toMatch(/^alice-pythia\/config\.json: cannot be fetched; check the network/);
  await first.context.close();
});

test('a new build replaces the page that is kept when the old one is closed, a broken one never', async () => {
  const replaced = new Map<string, Uint8Array>();
  const server = await PageServer.start({ replaced });
  const { page, context } = await Visit.open(browser, server, { hasEngine: false });
  const script = await readFile(join(pageFolder, 'service-worker.js'), 'utf8');
  const publish = (version: string, more = '') => {
    const list = script.replace(/"version":"\w+","first":\[/, `"version":"${version}","first":[${more}`);
    expect(list).not.toBe(script);
    replaced.set('service-worker.js', new TextEncoder().encode(list));
  };
  const caches = (of: Page) => of.evaluate(async () => (await globalThis.caches.keys()).sort());
  /** Looks for a new build. @returns how each that came has ended since the page opened, and the one that waits */
  const update = () =>
    page.evaluate(async () => {
      const seen = globalThis as { ends?: string[] };
      const registration = await navigator.serviceWorker.ready;
      if (!seen.ends) {
        const ends: string[] = (seen.ends = []);
        registration.addEventListener('updatefound', () => {
          const { installing } = registration;
          installing?.addEventListener('statechange', () => ends.push(installing.state));
        });
      }
      await registration.update().catch(() => undefined);
      return { ends: seen.ends, waiting: registration.waiting?.state };
    });
  // The first build is there before the next is published: the browser may be slow to ask for it.
  expect(await update()).toEqual({ ends: [], waiting: undefined });
  await page.evaluate(() => globalThis.caches.open('laminar-page:/elsewhere/:1'));
  const path = new URL(server.address).pathname;

  publish('broken', '"assets/not-there.js",');
  await expect.poll(update).toEqual({ ends: expect.arrayContaining(['redundant']), waiting: undefined });
  await page.reload();
  publish('newer');
  // The reload looks for a new build, too, and may find the broken one or this one first.
  await expect.poll(async () => (await update()).waiting).toBe('installed');
  expect(await caches(page)).toContain(`laminar-page:${path}:newer`);
  expect(await page.evaluate(() => navigator.serviceWorker.controller?.state)).toBe('activated');
  await page.close();

  // A page of the same origin that is not the worker's: another of its pages would hold the old worker.
  const outside = await context.newPage();
  await outside.goto(new URL('/elsewhere', server.address).href);
  await expect
    .poll(() => caches(outside))
    .toEqual(['laminar-page:/elsewhere/:1', `laminar-page:${path}:newer`]);
  await server.stop();
  const next = await context.newPage();
  await next.goto(server.address);
  await next.locator('.measures').filter({ hasText: 'rank 2' }).waitFor();
  await context.close();
});

test('a browser that will not keep the model runs it all the same, and says so', async () => {
  const server = await PageServer.start();
  const visit = await Visit.open(browser, server);
  const session = await visit.context.newCDPSession(visit.page);
  await session.send('Storage.overrideQuotaForOrigin', {
    origin: new URL(server.address).origin,
    quotaSize: 2e6,
  });
  await visit.fill('Length', '16');
  expect(await visit.run()).toBeUndefined();
  expect(await visit.page.locator('#notice').textContent()).toMatch(
    /will not keep alice-gpt2 .* will download again/,
  );
  expect(await visit.status()).toBe('Done.');
  await visit.context.close();
  await server.stop();
});

describe('a model of the hub', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567';
  const hub = 'https://huggingface.co';
  let server: PageServer;
  let visit: Visit;
  beforeAll(async () => {
    server = await PageServer.start();
    visit = await Visit.open(browser, server);
    await visit.context.route(`${hub}/**`, answer);
  });
  afterAll(async () => {
    await visit.context.close();
    await server.stop();
  });

  /** Answers as the hub does: the API by a listing, files by ranges, from another origin. */
  async function answer(route: Route): Promise<void> {
    const address = new URL(route.request().url());
    const headers = { 'Access-Control-Allow-Origin': '*' };
    const files = ['config.json', 'model.safetensors'];
    if (address.pathname === '/api/models/somebody/tiny/revision/main') {
      const siblings = await Promise.all(
        files.map(async (name) => {
          const source = (await goldenFiles('gpt2-f16').open(name))!;
          const sha256 = createHash('sha256')
            .update(await source.read(0, source.size))
            .digest('hex');
          return { rfilename: name, size: source.size, lfs: { sha256, size: source.size } };
        }),
      );
      return route.fulfill({ headers, json: { sha: commit, siblings } });
    }
    const name = files.find((file) => address.pathname === `/somebody/tiny/resolve/${commit}/${file}`);
    if (!name) return route.fulfill({ status: 404, headers });
    const source = (await goldenFiles('gpt2-f16').open(name))!;
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(route.request().headers()['range']!)!;
    const length = Math.min(Number(to) + 1, source.size) - Number(from);
    // The size stands in Content-Range, which the hub shows to other origins, and its file servers may not.
    return route.fulfill({
      status: 206,
      headers: { ...headers, 'Content-Range': `bytes ${from}-${to}/${source.size}` },
      body: Buffer.from(await source.read(Number(from), length)),
    });
  }

  async function chooseAndRun(id: string): Promise<string | undefined> {
    await visit.page.locator('#model').selectOption('hub');
    await visit.page.getByLabel('Hub id').fill(id);
    await visit.giveIds([5, 17, 300, 5, 8]);
    return visit.run();
  }

  test.each([
    ['somebody/none', /Cannot find somebody\/none at main: huggingface.co shows no such model \(404\)/],
    ['not an id', /is not an id of a model on the hub/],
  ])('%s: a sentence', async (id, sentence) => {
    expect(await chooseAndRun(id)).toMatch(sentence);
  });

  test('is resolved to its commit, fetched, and kept for a visit without network', async () => {
    expect(await chooseAndRun('somebody/tiny')).toBeUndefined();
    const report = JSON.parse(String(await visit.download('report.json'))) as Report;
    expect(report.model).toMatchObject({
      id: 'somebody/tiny',
      revision: commit,
      architecture: 'gpt2',
      dtype: 'F16',
    });
    const asked = visit.requests.filter((address) => !/^(blob:)?http:\/\/127\.0\.0\.1/.test(address));
    expect(asked.filter((address) => !address.startsWith(hub))).toEqual([]);
    await expect
      .poll(() => kept(visit))
      .toContainEqual(expect.stringContaining('somebody/tiny@0123456789ab'));
    const table = await visit.table();

    await visit.context.unroute(`${hub}/**`);
    await visit.context.route(`${hub}/**`, (route) => route.fulfill({ status: 503 }));
    expect(await chooseAndRun('somebody/else')).toMatch(
      /^Cannot fetch somebody\/else at main: the hub answered 503/,
    );
    await visit.context.unroute(`${hub}/**`);
    await visit.context.route(`${hub}/**`, (route) => route.abort('internetdisconnected'));
    await visit.page.reload();
    expect(await chooseAndRun('https://huggingface.co/somebody/tiny/tree/main')).toBeUndefined();
    expect(await visit.table()).toEqual(table);
    expect(await chooseAndRun('somebody/else')).toMatch(
      /^Cannot fetch somebody\/else at main: the hub cannot be reached/,
    );
  });
});
