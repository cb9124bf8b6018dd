import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { pageFolder } from './build-page.ts';
import { sharedBrowser, Visit } from './open-page.ts';
import { PageServer } from './page-server.ts';

test('a new build replaces the page that is kept when the old one is closed, a broken one never', async () => {
  const replaced = new Map<string, Uint8Array>();
  const server = await PageServer.start({ replaced });
  const { page, context } = await Visit.open(await sharedBrowser(), server, {
    hasEngine: false,
  });
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
  await next
    .locator('#summary')
    .filter({ hasText: /^alice-gpt2 / })
    .waitFor();
  const files = JSON.parse(/"first":(\[.*?\])/.exec(script)![1]!) as string[];
  const answered = await next.evaluate(
    (all) => Promise.all(all.map(async (file) => (await fetch(file)).ok)),
    files,
  );
  expect(answered).toEqual(files.map(() => true));
  await context.close();
});
