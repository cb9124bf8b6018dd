import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { reuseOrBuild } from '../support/reuse-or-build.ts';
import { commandPath } from './run-command.ts';

const projectFile = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** vitest's global setup: the library and the command as `npm run build` makes them, once for all who run them. */
export async function setup(): Promise<void> {
  const folder = dirname(dirname(commandPath));
  await reuseOrBuild(projectFile('vite.config.ts'), projectFile('dist'), folder);
  await rm(join(folder, 'web'), { recursive: true, force: true });
}
