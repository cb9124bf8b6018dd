import { createHash } from 'node:crypto';
import type { Route } from 'playwright-core';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/analysis/report.ts';
import { goldenFiles } from '../support/golden.ts';
import type { Visit } from './open-page.ts';
import type { PageServer } from './page-server.ts';

const kept = (visit: Visit) => visit.page.locator('#kept li').allTextContents();

/**
 * What a browser keeps of models, runs and the page, on a page that has its kernels compiled and keeps alice-gpt2.
 * At the end nothing is kept, and the server is stopped.
 * @param opened called when these tests begin
 */
export function describeWhatIsKept(
  opened: () => { readonly visit: Visit; readonly server: PageServer },
): void {
  describe('what is kept in one browser', () => {
    const commit = '0123456789abcdef0123456789abcdef01234567';
    const hub = 'https://huggingface.co';
    let server: PageServer;
    let visit: Visit;
    beforeAll(async () => {
      ({ visit, server } = opened());
      await visit.page.evaluate(() => navigator.serviceWorker.ready);
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

    async function runBundled(): Promise<string | undefined> {
      await visit.page.locator('#model').selectOption('alice-pythia');
      await visit.page.locator('#text-kind').selectOption('bundled');
      await visit.fill('Length', '16');
      return visit.run();
    }

    async function runOfHub(id: string): Promise<string | undefined> {
      await visit.page.locator('#model').selectOption('hub');
      await visit.page.getByLabel('Hub id').fill(id);
      await visit.giveIds([5, 17, 300, 5, 8]);
      return visit.run();
    }

    test('a file that is not there for a moment is not missed for ever', async () => {
      await visit.context.route('**/config.json', (route) => route.fulfill({ status: 404 }));
      expect(await runBundled()).toMatch(/has no config\.json/);
      await visit.context.unroute('**/config.json');
    });

    let ofBundled: string[][];
    test('a browser that will not keep the model runs it all the same, and says so', async () => {
      const session = await visit.context.newCDPSession(visit.page);
      const { origin } = new URL(server.address);
      await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2e6 });
      expect(await runBundled()).toBeUndefined();
      expect(await visit.page.locator('#notice').textContent()).toMatch(
        /will not keep alice-pythia .* will download again/,
      );
      expect(await visit.status()).toBe('Done.');
      ofBundled = await visit.table();
      await session.send('Storage.overrideQuotaForOrigin', { origin });
    });

    test('a model that was run is kept, and so is a run', async () => {
      expect(await runBundled()).toBeUndefined();
      expect(await visit.table()).toEqual(ofBundled);
      await expect
        .poll(() => kept(visit))
        .toEqual([
          expect.stringMatching(/^alice-gpt2, 7\.\d+ MBDelete$/),
          expect.stringMatching(/^alice-pythia, 3\.\d+ MBDelete$/),
        ]);
      // By the keyboard: figures that are still being drawn move the page under a pointer.
      await visit.page.getByRole('button', { name: 'Keep this run' }).press('Enter');
      await visit.page.locator('#status').filter({ hasText: 'Kept' }).waitFor();
    });

    test.each([
      ['somebody/none', /Cannot find somebody\/none at main: huggingface.co shows no such model \(404\)/],
      ['not an id', /is not an id of a model on the hub/],
    ])('%s of the hub: a sentence', async (id, sentence) => {
      await visit.context.unroute(`${hub}/**`);
      await visit.context.route(`${hub}/**`, answer);
      expect(await runOfHub(id)).toMatch(sentence);
    });

    let ofHub: string[][];
    test('a model of the hub is resolved to its commit, fetched, and kept', async () => {
      expect(await runOfHub('somebody/tiny')).toBeUndefined();
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
      ofHub = await visit.table();

      await visit.context.unroute(`${hub}/**`);
      await visit.context.route(`${hub}/**`, (route) => route.fulfill({ status: 503 }));
      expect(await runOfHub('somebody/else')).toMatch(
        /^Cannot fetch somebody\/else at main: the hub answered 503/,
      );
    });

    test('a second visit needs no network: neither for the page, nor for its runs and models', async () => {
      const { page } = visit;
      await server.stop();
      await visit.context.unroute(`${hub}/**`);
      await page.reload();
      await page.getByRole('button', { name: 'Show alice-pythia' }).press('Enter');
      await page
        .locator('#summary')
        .filter({ hasText: /^alice-pythia / })
        .waitFor();
      expect(await visit.table()).toEqual(ofBundled);
      expect(await runBundled()).toBeUndefined();
      expect(await visit.table()).toEqual(ofBundled);
      await page.getByRole('button', { name: 'PNG' }).first().press('Enter');
      await page.getByRole('alert').filter({ hasText: 'A part of the page could not be loaded' }).waitFor();

      await visit.context.route(`${hub}/**`, (route) => route.abort('internetdisconnected'));
      expect(await runOfHub('https://huggingface.co/somebody/tiny/tree/main')).toBeUndefined();
      expect(await visit.table()).toEqual(ofHub);
      expect(await runOfHub('somebody/else')).toMatch(
        /^Cannot fetch somebody\/else at main: the hub cannot be reached/,
      );

      const deleting = (name: string) => page.getByRole('button', { name: `Delete ${name}` }).press('Enter');
      await deleting('alice-pythia');
      await expect.poll(() => kept(visit)).not.toContainEqual(expect.stringContaining('alice-pythia'));
      expect(await runBundled()).toMatch(/^alice-pythia\/config\.json: cannot be fetched; check the network/);
      for (const left of ['alice-gpt2', 'somebody/tiny', 'names on the hub']) {
        await deleting(left);
        await expect.poll(() => kept(visit)).not.toContainEqual(expect.stringContaining(left));
      }
      await expect.poll(() => kept(visit)).toEqual(['Nothing yet.']);
    });
  });
}
