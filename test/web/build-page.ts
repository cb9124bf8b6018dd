import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** The tests' own build of the page: dist/ may be in use. */
export const pageFolder = fileURLToPath(new URL('../../out/test-web', import.meta.url));

/** vitest's global setup: builds the page as `npm run build` does. */
export async function setup(): Promise<void> {
  await build({
    configFile: fileURLToPath(new URL('../../vite.web.config.ts', import.meta.url)),
    logLevel: 'warn',
    build: { outDir: pageFolder },
  });
}
