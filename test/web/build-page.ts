import { fileURLToPath } from 'node:url';
import { reuseOrBuild } from '../support/reuse-or-build.ts';

const projectFile = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** The tests' own build of the page: dist/ may be in use. */
export const pageFolder = projectFile('out/test-web');

/** vitest's global setup: the page as `npm run build` makes it. */
export async function setup(): Promise<void> {
  await reuseOrBuild(projectFile('vite.web.config.ts'), projectFile('dist/web'), pageFolder);
}
