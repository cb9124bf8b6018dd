import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setup } from '../node/build-command.ts';
import { commandPath } from '../node/run-command.ts';
import { tell } from './extent.ts';

const KILLS = 30;
const PAIRS = 10;
const SEED = 28;
const model = fileURLToPath(new URL('../golden/gpt2-inverse-layer-scale', import.meta.url));

let folder: string;
beforeAll(async () => {
  await setup();
  folder = await mkdtemp(join(tmpdir(), 'laminar-kills-'));
  await writeFile(join(folder, 'ids.json'), JSON.stringify([3, 1, 4, 1, 5, 9, 2, 6]));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function run(seed: number, out = 'out') {
  const args = ['profile', model, '--ids', 'ids.json', '--seed', String(seed), '--out', out, '--force'];
  const child = spawn(process.execPath, [commandPath, ...args], { cwd: folder, stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  return { child, ended };
}

/** The runs that may have written a file: some figures are alike in both. */
type Known = Map<string, Set<number>>;

async function filesOf(out: string): Promise<string[]> {
  const top = await readdir(join(folder, out)).catch(() => []);
  const figures: string[] = await readdir(join(folder, out, 'figures')).catch(() => []);
  const names = [...top.filter((name) => !name.startsWith('.') && name !== 'figures'), ...figures];
  return names.map((name) => join(folder, out, figures.includes(name) ? 'figures' : '.', name));
}

async function digestOf(path: string): Promise<string> {
  const bytes = await readFile(path);
  // Its timings differ from run to run.
  if (basename(path) === 'report.json')
    return `seed ${(JSON.parse(bytes.toString()) as { seed: number }).seed}`;
  return `${basename(path)} ${createHash('sha256').update(bytes).digest('hex')}`;
}

/** What undisturbed runs write. */
async function undisturbed(): Promise<Known> {
  const known: Known = new Map();
  for (const seed of [1, 2]) {
    expect(await run(seed, `run-${seed}`).ended).toBe(0);
    for (const path of await filesOf(`run-${seed}`)) {
      const digest = await digestOf(path);
      known.set(digest, (known.get(digest) ?? new Set()).add(seed));
    }
  }
  return known;
}

/** The runs that all files of a folder may be of, and how many files there are. */
async function runsIn(out: string, known: Known): Promise<{ seeds: number[]; files: number }> {
  const paths = await filesOf(out);
  let seeds = [1, 2];
  for (const path of paths) {
    const own = known.get(await digestOf(path));
    expect(own, `${path} is whole`).toBeDefined();
    seeds = seeds.filter((seed) => own!.has(seed));
  }
  expect(seeds, `${paths.length} files are of one run`).not.toEqual([]);
  return { seeds, files: paths.length };
}

test('after kill −9 at any moment a folder holds the files of one run', async () => {
  const known = await undisturbed();
  const started = performance.now();
  expect(await run(1).ended).toBe(0);
  const duration = performance.now() - started;
  const whole = (await filesOf('out')).length;
  const counts = { old: 0, new: 0, part: 0 };
  let state = SEED;
  let held = 1;
  for (let kill = 0; kill < KILLS; kill += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const { child, ended } = run(3 - held);
    // In the second half the figures are drawn and the files put in place.
    const timer = setTimeout(() => child.kill('SIGKILL'), duration * (0.5 + (0.6 * (state >>> 0)) / 2 ** 32));
    await ended;
    clearTimeout(timer);
    const { seeds, files } = await runsIn('out', known);
    if (files < whole) counts.part += 1;
    else if (seeds.includes(held)) counts.old += 1;
    else counts.new += 1;
    held = seeds[0]!;
  }
  expect(await run(3 - held).ended).toBe(0);
  expect((await readdir(join(folder, 'out'))).filter((name) => name.startsWith('.'))).toEqual([]);
  tell(
    `kill -9 during ${KILLS} re-runs of profile: ${counts.old} folders held the old run whole, ${counts.new} the new one, ` +
      `${counts.part} a part of one, 0 a mix; nothing was left over after the next run`,
  );
});

test('of two writers one is refused, and the folder holds the other’s files', async () => {
  const known = await undisturbed();
  let refused = 0;
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const codes = await Promise.all([run(1).ended, run(2).ended]);
    refused += codes.filter((code) => code === 1).length;
    expect(codes).toContain(0);
    await runsIn('out', known);
  }
  tell(`two writers on one folder, ${PAIRS} times: ${refused} refused by name, 0 folders mixed`);
});
