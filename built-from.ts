import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** All that a build of the command or of the page is made from, and how. */
const SOURCES = [
  'src',
  'weights',
  'package-lock.json',
  'package.json',
  'vite.config.ts',
  'vite.web.config.ts',
  'lean-shaders.ts',
  'third-party.ts',
];

/** Lies in a built folder and names what it was built from. */
const MARK = '.built-from';

/** Marks what is built, so that the tests need not build it again. */
export const builtFrom: Plugin = {
  name: 'built-from',
  apply: 'build',
  writeBundle: {
    order: 'post',
    sequential: true,
    async handler({ dir }) {
      await writeFile(join(dir!, MARK), await sourcesDigest());
    },
  },
};

/** Whether a folder holds a build of the sources as they are. */
export async function isBuiltFromSources(folder: string): Promise<boolean> {
  const mark = await readFile(join(folder, MARK), 'utf8').catch(() => '');
  return mark !== '' && mark === (await sourcesDigest());
}

async function sourcesDigest(): Promise<string> {
  const hash = createHash('sha256');
  for (const source of SOURCES) {
    const below = await readdir(here(source), { recursive: true, withFileTypes: true }).catch(
      () => undefined,
    );
    const files = below
      ? below.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
      : [here(source)];
    for (const file of files.sort()) hash.update(file.slice(here('.').length)).update(await readFile(file));
  }
  return hash.digest('hex');
}
