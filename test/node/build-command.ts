import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, loadConfigFromFile } from 'vite';
import { commandPath } from './run-command.ts';

const projectFile = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** vitest's global setup: builds the command as `npm run build` does, once for all the files that run it. */
export async function setup(): Promise<void> {
  const loaded = await loadConfigFromFile(
    { command: 'build', mode: 'production' },
    projectFile('vite.config.ts'),
  );
  if (!loaded) throw new Error('vite.config.ts is not there');
  await build({
    ...loaded.config,
    configFile: false,
    logLevel: 'warn',
    build: {
      ...loaded.config.build,
      outDir: dirname(dirname(commandPath)),
    },
  });
}
