import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { setup } from '../node/build-command.ts';
import { commandPath } from '../node/run-command.ts';
import { tell } from './extent.ts';

const KILLS = 30;
/** Of fast runs' milliseconds; the swap itself takes less than one. */
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

/** Which run each file is of: what it holds is known from undisturbed runs. */
async function runsIn(out: string, known: ReadonlyMap<string, number>): Promise<(number | undefined)[]> {
  const entries = await readdir(join(folder, out), { recursive: true, withFileTypes: true }).catch(() => []);
  const visible = entries.filter(
    ({ name, parentPath }) => !`${parentPath}/${name}`.slice(folder.length).includes('/.'),
  );
  const files = visible.filter((entry) => entry.isFile());
  return Promise.all(
    files.map(async ({ parentPath, name }) => {
      const bytes = await readFile(join(parentPath, name));
      if (name === 'report.json') return (JSON.parse(bytes.toString()) as { seed: number }).seed;
      return known.get(`${name} ${createHash('sha256').update(bytes).digest('hex')}`);
    }),
  );
}

test('after kill −9 at any moment a folder holds the files of one run', async () => {
  const known = new Map<string, number>();
  let duration = 0;
  for (const seed of [1, 2]) {
    const started = performance.now();
    expect(await run(seed, `run-${seed}`).ended).toBe(0);
    duration = performance.now() - started;
    const names = await readdir(join(folder, `run-${seed}`), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of names.filter((entry) => entry.isFile())) {
      const digest = createHash('sha256').update(await readFile(join(parentPath, name)));
      known.set(`${name} ${digest.digest('hex')}`, seed);
    }
  }
  expect(await run(1).ended).toBe(0);
  const whole = (await runsIn('out', known)).length;
  let state = SEED;
  const counts = { old: 0, new: 0, none: 0 };
  let held = 1;
  for (let kill = 0; kill < KILLS; kill += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const seed = 3 - held;
    const { child, ended } = run(seed);
    // The last third is when the files are written.
    const delay = duration * (0.5 + (0.6 * state) / 2 ** 32);
    const timer = setTimeout(() => child.kill('SIGKILL'), delay);
    await ended;
    clearTimeout(timer);
    const runs = await runsIn('out', known);
    const kinds = new Set(runs);
    expect(kinds.has(undefined), 'a torn file').toBe(false);
    expect(kinds.size).toBeLessThanOrEqual(1);
    const [now] = kinds;
    if (now === undefined || runs.length < whole) counts.none += 1;
    else if (now === held) counts.old += 1;
    else counts.new += 1;
    held = now ?? held;
  }
  expect(await run(3 - held).ended).toBe(0);
  expect((await readdir(join(folder, 'out'))).filter((name) => name.startsWith('.'))).toEqual([]);
  tell(
    `kill -9 during ${KILLS} re-runs of profile: ${counts.old} folders held the old run whole, ${counts.new} the new one, ` +
      `${counts.none} a part of one, 0 a mix`,
  );
});

test('of two writers one is refused, and the folder holds the other’s files', async () => {
  const known = new Map<string, number>();
  for (const seed of [1, 2]) {
    const names = await readdir(join(folder, `run-${seed}`), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of names.filter((entry) => entry.isFile())) {
      const digest = createHash('sha256').update(await readFile(join(parentPath, name)));
      known.set(`${name} ${digest.digest('hex')}`, seed);
    }
  }
  let refused = 0;
  const PAIRS = 10;
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const codes = await Promise.all([run(1).ended, run(2).ended]);
    refused += codes.filter((code) => code === 1).length;
    expect(codes).toContain(0);
    expect(new Set(await runsIn('out', known)).size).toBe(1);
  }
  tell(`two writers on one folder, ${PAIRS} times: ${refused} refused by name, 0 folders mixed`);
});
