import { cp, rm } from 'node:fs/promises';
import { build, loadConfigFromFile } from 'vite';
import { isBuiltFromSources } from '../../built-from.ts';

/**
 * Brings a build of the sources as they are into a folder of the tests' own: what lies there already, else a copy of
 * what `npm run build` made (npm ci does, too), else a build by the same configuration.
 */
export async function reuseOrBuild(configFile: string, made: string, folder: string): Promise<void> {
  if (await isBuiltFromSources(folder)) return;
  if (await isBuiltFromSources(made)) {
    await rm(folder, { recursive: true, force: true });
    await cp(made, folder, { recursive: true });
    return;
  }
  const loaded = await loadConfigFromFile({ command: 'build', mode: 'production' }, configFile);
  if (!loaded) throw new Error(`${configFile} is not there`);
  const { config } = loaded;
  await build({
    ...config,
    configFile: false,
    logLevel: 'warn',
    build: { ...config.build, outDir: folder, emptyOutDir: true },
  });
}
