import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import type { Rolldown } from 'vite';
import { afterAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { commandPath } from './run-command.ts';

/** The package as npm gives it to users, next to the packages that it names. */

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const place = await mkdtemp(join(tmpdir(), 'laminar-test-'));
afterAll(() => rm(place, { recursive: true, force: true }));

/** What is packed: the repository's files, with the tests' build as dist. */
const sources = join(place, 'sources');
for (const path of ['package.json', 'README.md', 'LICENSE', 'weights', 'src', 'test/layers.test.ts'])
  await cp(join(root, path), join(sources, path), { recursive: true });
await cp(dirname(dirname(commandPath)), join(sources, 'dist'), { recursive: true });
// A cache of its own: the home folder may be read-only.
const npmCache = ['--cache', join(place, 'npm'), '--no-update-notifier'];
const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', place, ...npmCache];
const [tarball] = JSON.parse((await run('npm', packing, { cwd: sources })).stdout) as [
  { readonly filename: string; readonly size: number; readonly files: readonly { readonly path: string }[] },
];
await run('tar', ['-xzf', tarball.filename], { cwd: place });
await symlink(join(root, 'node_modules'), join(place, 'node_modules'));
const folder = join(place, 'package');

test('is small, and holds what it names and nothing that only builds or tests need', () => {
  expect(tarball.size).toBeLessThan(5e6);
  const modules = Object.values(packageJson.exports).map((entry) => entry.default);
  for (const path of [
    ...modules,
    packageJson.bin.laminar,
    'LICENSE',
    'README.md',
    'dist/THIRD-PARTY-NOTICES.md',
  ])
    expect(existsSync(join(folder, path)), path).toBe(true);
  const paths = tarball.files.map(({ path }) => path);
  expect(paths.filter((path) => /\.map$|^dist\/web\/|^test\/|^src\/.*\.ts$/.test(path))).toEqual([]);
});

test('says which of the bundled models it leaves out', async () => {
  const command = [join(folder, packageJson.bin.laminar), 'profile', 'alice-gpt2'];
  await expect(run(process.execPath, command)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^laminar: alice-gpt2: the npm package does not contain this model.*run alice-pythia, which is here.*\n$/,
    ) as string,
  });
});

test('brings a browser little at once, and the rest when it is needed', async () => {
  const guide = await readFile(join(root, 'docs', 'getting-started.md'), 'utf8');
  const [, program = ''] = /^```js\n(import [^\n]*laminar-webgpu\/web[^]*?)^```/m.exec(guide) ?? [];
  await writeFile(join(place, 'main.js'), program);
  const { output } = (await build({
    root: place,
    logLevel: 'error',
    configFile: false,
    resolve: { alias: { 'laminar-webgpu/web': join(folder, packageJson.exports['./web'].default) } },
    build: { write: false, target: 'esnext', rolldownOptions: { input: join(place, 'main.js') } },
  })) as Rolldown.RolldownOutput;
  const chunks = output.filter((each) => each.type === 'chunk');
  /** Bytes, gzip, of chunks and all that they import at once. */
  const bytesWith = (names: readonly string[], seen = new Set<string>()): number =>
    names.reduce((sum, name) => {
      const chunk = chunks.find(({ fileName }) => fileName === name);
      if (!chunk || seen.has(name)) return sum;
      seen.add(name);
      return sum + gzipSync(chunk.code).length + bytesWith(chunk.imports, seen);
    }, 0);
  const entry = chunks.find(({ isEntry }) => isEntry)!.fileName;
  const engine = chunks.find(({ name }) => name.startsWith('engine-part'))!.fileName;
  // The guide names the sizes; there is room for what is added.
  expect(bytesWith([entry])).toBeLessThan(20e3);
  expect(bytesWith([entry, engine])).toBeLessThan(90e3);
  expect(bytesWith(chunks.map(({ fileName }) => fileName))).toBeLessThan(145e3);
});
