import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { describeProfileBench } from '../../src/node/bench/describe.ts';
import type { GrowthBench } from '../../src/node/bench/growth.ts';
import type { ProfileBench } from '../../src/node/bench/result.ts';
import { expectLinear } from '../support/growth-expectations.ts';
import { FASTER_CLOCK_OF_PROCESS, useFasterClock } from '../support/faster-clock.ts';
import { complaints, laminar } from './run-command.ts';
import { laminarHere, shareDevice } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

beforeAll(shareDevice);
useFasterClock();

const TINY = [fileURLToPath(new URL('../golden/neox-f16', import.meta.url)), '--tokens', '9'];

it('laminar bench sets a profile beside the ceilings of the same run, in JSON or a table', async () => {
  const folder = await temporaryFolder();
  const result = await laminarHere(['--gpu-memory', '8MB', 'bench', ...TINY, '--json'], {
    env: { TMPDIR: folder },
  });
  // It says which stage runs: on some adapters each takes minutes.
  expect(complaints(result)).toMatch(
    /^laminar: measuring .*\nlaminar: profiling once, .*\n(laminar: profiling to measure, .*\n)+(laminar: profiling to time .*(\n|$))*$/,
  );
  expect(result.code).toBe(0);
  const report = JSON.parse(result.stdout) as ProfileBench;
  const { ceilings, forward, spectrum, kernels } = report;
  expect(report).toMatchObject({
    bench: 'profile',
    date: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    versions: { laminar: '0.1.0', node: process.version, webgpu: expect.stringMatching(/^\d+\./) },
    model: { id: 'neox-f16', layers: 3, width: 64, dtype: 'F16', resident: true },
    tokens: 9,
    spectrum: { matrices: 8 },
  });
  expect(report.adapter.description).not.toBe('');
  expect([...report.ids.shuffled].sort()).toEqual([...report.ids.real].sort());
  expect(report.answers.rank.real).toEqual([8, 8, 8, 8]);
  expect(ceilings.matrix_products.slice(0, 4)).toMatchObject([
    { rows: 18, inner: 64, columns: 192 },
    { rows: 18, inner: 64, columns: 64 },
    { rows: 18, inner: 64, columns: 256 },
    { rows: 18, inner: 256, columns: 64, dtype: 'F16', layout: '[out, in]' },
  ]);
  const { multiply_add: multiplyAdd, copies } = ceilings;
  const rates = [
    ...Object.values(multiplyAdd),
    ...Object.values(copies),
    ...ceilings.matrix_products.map(({ flops }) => flops),
  ];
  for (const rate of rates) expect(rate).toBeGreaterThan(0);
  expect(ceilings.flops).toBeGreaterThanOrEqual(Math.max(multiplyAdd.fma, multiplyAdd.separate));
  expect(ceilings.bytes_per_second).toBe(Math.max(copies.command, copies.kernel));
  expect(report.whole.seconds).toBeGreaterThan(forward.seconds);
  expect(forward.cpu_seconds).toBeGreaterThan(0);
  expect(spectrum.cpu_seconds).toBeGreaterThan(0);
  expect(report.whole.cpu_seconds).toBeGreaterThan(0);
  expect(forward.tokens_per_second).toBeCloseTo(18 / forward.seconds, 6);
  // Two operations for each weight of the blocks' matrices and of lm_head, for each of 18 tokens, and attention's.
  const operations = 18 * 2 * (3 * 12 * 64 ** 2 + 307 * 64) + 3 * 2 * 2 * 9 * 10 * 64;
  expect((forward.flops! * forward.seconds) / operations).toBeCloseTo(1, 6);
  for (const rate of [forward, spectrum, ...(kernels ?? [])]) {
    expect(rate.of_flops ?? 0).toBeCloseTo((rate.flops ?? 0) / ceilings.flops, 9);
    expect(rate.of_bytes ?? 0).toBeCloseTo((rate.bytes_per_second ?? 0) / ceilings.bytes_per_second, 9);
  }
  if (kernels) {
    const product = kernels.find(({ kernel }) => kernel.startsWith('matrix-product'));
    expect(product!.calls).toBeGreaterThan(4);
    const attention = kernels.find(({ kernel }) => kernel.startsWith('attention'));
    const both = (product!.flops ?? 0) * product!.seconds + (attention!.flops ?? 0) * attention!.seconds;
    expect(both / operations).toBeCloseTo(1, 6);
    expect(kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
  }
  expect((await readdir(folder)).filter((name) => name.startsWith('.laminar-'))).toEqual([]);
  const table = describeProfileBench(report);
  expect(table).toMatch(/neox-f16: 3 layers of width 64, F16 weights that stay, 2 x 9 tokens\n/);
  for (const row of [
    'copy, .* GB/s',
    '18 x 64 x 192 F16 .* GFLOP/s',
    'forward .* m?s ',
    'spectrum .* m?s ',
  ]) {
    expect(table).toMatch(new RegExp(`^ *${row}`, 'm'));
  }
});

it.each([
  ['--like gpt5', /^laminar: gpt5: is not a model whose shape is known; choose one of distilgpt2/],
  [
    '--tokens 1025',
    /^laminar: --tokens 1025 is more than the context of gpt2, 1024 tokens; give --tokens 1024 or fewer$/,
  ],
  [
    'alice-gpt2 --tokens 100000',
    /^laminar: --tokens 100000 is more than the context of alice-gpt2, 256 tokens; give --tokens 256 or fewer$/,
  ],
  [
    '--growth tokens,depth',
    /^laminar: --growth tokens,depth: "depth" cannot grow; give some of tokens,width,/,
  ],
  ['--growth --tune', /^laminar: --growth and --tune cannot be combined; give one of them$/],
  ['--remember', /^laminar: --remember is for what --tune finds; add --tune$/],
  ['--growth --tokens 9', /^laminar: --growth measures shapes of its own; leave --tokens 9 out$/],
  ['alice-gpt2 --tune', /^laminar: --tune measures shapes of its own; leave alice-gpt2 out$/],
  ['--out here', /^laminar: --out here is for --growth, which writes files; leave it out, or add --growth$/],
  ['alice-gpt2 --layers 3', /^laminar: --layers 3 is for random weights; leave it out, or alice-gpt2$/],
])('laminar bench %s: is refused before any work', async (flags, line) => {
  const folder = await temporaryFolder();
  const result = await laminarHere(['bench', ...flags.split(' ')], { env: { TMPDIR: folder } });
  expect(result.code).toBe(2);
  expect(complaints(result)).toMatch(line);
  expect(await readdir(folder)).toEqual([]);
});

it('laminar bench --growth fits powers along the sizes named, and writes figure and numbers', async () => {
  const folder = await temporaryFolder();
  const out = join(folder, 'growth');
  const result = await laminarHere(['bench', '--growth', 'matrices', '--out', out, '--json'], {
    env: { TMPDIR: folder },
  });
  expect(complaints(result)).toMatch(/^laminar: growing matrices: [\d, ]+$/);
  expect(result.code).toBe(0);
  const report = JSON.parse(result.stdout) as GrowthBench;
  expect(report.growths.map(({ axis, limit }) => [axis, limit])).toEqual([['matrices', 1]]);
  expectLinear(report);
  expect((await readdir(out)).sort()).toEqual(['growth.json', 'growth.png', 'growth.svg']);
  expect(JSON.parse(await readFile(join(out, 'growth.json'), 'utf8'))).toEqual(report);
  const svg = await readFile(join(out, 'growth.svg'), 'utf8');
  expect(svg).toContain('matrices: ');
  // The unpacked driver lies here, too, if the user's own folder cannot be written.
  const left = (await readdir(folder)).filter((name) => name !== `laminar-${process.getuid!()}`);
  expect(left).toEqual(['growth']);
});

it.each([
  [
    '--like pythia-14m --layers 1 --tokens 9',
    'measuring',
    /^laminar: writing random weights\nlaminar: measuring .*\nlaminar: interrupted$/,
  ],
  ['--tune --json', 'timing', /^(laminar: timing the variants on .*\n)+laminar: interrupted$/],
])('laminar bench %s: stops at Ctrl-C and leaves nothing behind', async (flags, stage, lines) => {
  const folder = await temporaryFolder();
  const result = await laminar(['bench', ...flags.split(' ')], {
    env: { TMPDIR: folder, NODE_OPTIONS: FASTER_CLOCK_OF_PROCESS },
    killWhen: ['SIGINT', async (stderr) => Promise.resolve(stderr.includes(stage))],
  });
  expect(complaints(result)).toMatch(lines);
  expect([result.code, result.stdout]).toEqual([130, '']);
  expect((await readdir(folder)).filter((name) => name.startsWith('.laminar-'))).toEqual([]);
});
