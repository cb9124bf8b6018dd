import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test, vi } from 'vitest';
import { commandPath } from './run-command.ts';
import { shareDevice } from './run-here.ts';

/** What programs of this project get for `laminar-webgpu/node`. */
const library = join(dirname(commandPath), 'index.js');
const root = fileURLToPath(new URL('../..', import.meta.url));
const examples = join(root, 'examples');

beforeAll(shareDevice);

/** A module of the build and those that it imports at once, by what their imports say. */
async function importsOf(path: string, seen = new Map<string, string[]>()): Promise<string[]> {
  if (seen.has(path)) return [];
  const code = await readFile(path, 'utf8');
  const specifiers = [...code.matchAll(/^(?:import|export)\b[^;]*?["']([^"']+)["'];/gm)].map(
    (match) => match[1]!,
  );
  seen.set(path, specifiers);
  const own = specifiers.filter((specifier) => specifier.startsWith('.'));
  for (const specifier of own) await importsOf(join(dirname(path), specifier), seen);
  return [...seen.values()].flat();
}

test('importing laminar-webgpu/node does not load the figure libraries', async () => {
  const imports = await importsOf(library);
  expect(imports).toContain('node:fs/promises');
  expect(imports.filter((specifier) => /vega|resvg/.test(specifier))).toEqual([]);
});

const says: Readonly<Record<string, RegExp>> = {
  'hidden-states.js': /^blocks\.5\.hook_resid_post( +\d+\.\d){24}$/m,
  'logit-lens.js': /^loss \d\.\d\d nats a token$/m,
  'patching.js': /^blocks\.5\.hook_resid_pre( +\d+\.\d\d){7}$/m,
  'reduce.js': /^layer 3 cut to 8 components: .* \d+% of the answers stay$/m,
  'spectrum.js': /^blocks\.5\.hook_mlp_out +128 x 128 .* \d+ dimensions of \d+$/m,
  'steering.js': /^strength 4: said the… ".*%\)$/m,
};

test('there are six examples of at most 40 lines', async () => {
  expect((await readdir(examples)).sort()).toEqual(Object.keys(says));
  for (const name of Object.keys(says)) {
    expect((await readFile(join(examples, name), 'utf8')).trimEnd().split('\n').length).toBeLessThanOrEqual(
      40,
    );
  }
});

test.each(Object.entries(says))('%s runs on a bundled model', async (name, expected) => {
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...words) => void lines.push(words.join(' ')));
  const { argv } = process;
  process.argv = argv.slice(0, 2);
  try {
    await import(/* @vite-ignore */ join(examples, name));
  } finally {
    process.argv = argv;
    log.mockRestore();
  }
  expect(lines.join('\n')).toMatch(expected);
});

/** Every block of JavaScript in the guides. Those for browsers are bundled by the tests of the package. */
const guides = (await readdir(join(root, 'docs'))).filter((name) => name.endsWith('.md'));
const programs = await Promise.all(
  ['README.md', ...guides.map((name) => `docs/${name}`)].map(async (page) => {
    const text = await readFile(join(root, page), 'utf8');
    const blocks = [...text.matchAll(/^```(?:js|ts)\n([^]*?)^```/gm)].map(([, program = '']) => program);
    return blocks
      .filter((program) => !program.includes('laminar-webgpu/web'))
      .map((program) => [page, program]);
  }),
);

test.each(programs.flat() as [string, string][])('the program in %s runs', async (page, program) => {
  expect(program).toContain('laminar-webgpu/node');
  // Within the repository, where the package's name is known.
  const folder = join(root, 'out', 'docs-programs');
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${page.replace(/\W/g, '-')}.js`);
  await writeFile(path, program);
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    await import(/* @vite-ignore */ path);
    expect(JSON.stringify(log.mock.calls.at(-1))).toContain('blocks.5.hook_resid_post');
  } finally {
    log.mockRestore();
  }
});
