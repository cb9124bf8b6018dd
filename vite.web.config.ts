import { createHash } from 'node:crypto';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';
import { builtFrom } from './built-from.ts';
import { leanShaders } from './lean-shaders.ts';
import { NOTICES, notePackages, thirdPartyNotices } from './third-party.ts';
import { bundledModels, defaultText } from './src/analysis/bundled.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The service worker's script: it must lie beside the page to serve it. */
const SERVICE_WORKER = 'service-worker.js';

/** Puts the bundled models and their text where the page looks for them. */
const bundledWeights: Plugin = {
  name: 'bundled-weights',
  async writeBundle({ dir }) {
    for (const path of [...bundledModels.map((model) => `weights/${model}`), defaultText])
      await cp(here(path), join(dir!, path), { recursive: true });
  },
};

/** Lets the page that is opened as a file have its looks: browsers load no style sheet with `crossorigin` from a file. */
const stylesOfFiles: Plugin = {
  name: 'styles-of-files',
  transformIndexHtml: {
    order: 'post',
    handler: (html) => html.replace(/(<link rel="stylesheet") crossorigin/g, '$1'),
  },
};

/** Tells the service worker which files the page consists of. */
const pageFiles: Plugin = {
  name: 'page-files',
  writeBundle: {
    order: 'post',
    sequential: true,
    async handler({ dir }) {
      const found = await readdir(dir!, { recursive: true, withFileTypes: true });
      const paths = found
        .filter((entry) => entry.isFile())
        .map((entry) => relative(dir!, join(entry.parentPath, entry.name)).split(sep).join('/'))
        .filter((path) => path !== SERVICE_WORKER && path !== NOTICES && !path.endsWith('.map'))
        .filter((path) => !path.startsWith('weights/') || path === defaultText)
        .sort();
      const hash = createHash('sha256');
      for (const path of paths) hash.update(path).update(await readFile(join(dir!, path)));
      // What draws PNG files is large, and only those who download one need it.
      const isLate = (path: string) => /\.(wasm|ttf)$/.test(path);
      const list = {
        version: hash.digest('hex').slice(0, 16),
        first: paths.filter((path) => !isLate(path)).map((path) => (path === 'index.html' ? './' : path)),
        later: paths.filter(isLate),
      };
      const script = join(dir!, SERVICE_WORKER);
      const source = await readFile(script, 'utf8');
      await writeFile(script, `const PAGE_FILES=${JSON.stringify(list)};${source}`);
    },
  },
};

/** Builds the page: static files in dist/web, for any host and any path. */
export default defineConfig({
  root: here('src/web'),
  base: './',
  plugins: [stylesOfFiles, bundledWeights, thirdPartyNotices, pageFiles, leanShaders, builtFrom],
  worker: { format: 'es', plugins: () => [leanShaders, notePackages] },
  build: {
    target: ['chrome120', 'firefox140', 'safari18'],
    outDir: here('dist/web'),
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // The figures' packages come in one piece, when the first figure is drawn.
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      input: { index: here('src/web/index.html'), 'service-worker': here('src/web/service-worker.ts') },
      output: {
        entryFileNames: ({ name }) =>
          name === 'service-worker' ? SERVICE_WORKER : 'assets/[name]-[hash].js',
      },
    },
  },
});
