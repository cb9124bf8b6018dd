import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { unpackChromium } from './test/support/chromium.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** Serves the project's files untouched under /fixtures/: Vite's own answers turn JSON and others into modules. */
const fixtures: Plugin = {
  name: 'fixtures',
  configureServer(server) {
    server.middlewares.use('/fixtures', (request, response) => {
      const path = here(`.${new URL(request.url ?? '/', 'http://localhost').pathname}`);
      void stat(path).then(
        (status) => {
          if (status.isFile()) createReadStream(path).pipe(response);
          else response.writeHead(404).end();
        },
        () => response.writeHead(404).end(),
      );
    });
  },
};

/** The kernel and golden tests once more, in a real browser. */
export default defineConfig({
  plugins: [fixtures],
  resolve: { alias: { '#platform': here('test/support/platform-browser.ts') } },
  test: {
    name: 'browser',
    include: [
      'test/shaders/**/*.test.ts',
      'test/analysis/spectrum*.test.ts',
      'test/analysis/measures/nearest.test.ts',
      'test/engine/golden.test.ts',
      'test/web/**/*.browser.ts',
    ],
    setupFiles: here('test/support/setup.ts'),
    // Files share a page, one after another: its modules, and a GPU with what was compiled for it.
    isolate: false,
    env: { LAMINAR_ALL_SIZES: process.env['LAMINAR_ALL_SIZES'] ?? '' },
    testTimeout: 600_000,
    hookTimeout: 600_000,
    // As many as the other projects have, so that this one runs beside them; one page at a time is enough.
    maxWorkers: 2,
    browser: {
      fileParallelism: false,
      connectTimeout: 600_000,
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { ...(await unpackChromium()), timeout: 600_000 } }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
