import { readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { describeBench } from '../../src/node/commands/bench.ts';
import type { BenchResult } from '../../src/node/commands/bench.ts';
import { complaints, laminar } from './run-command.ts';
import { temporaryFolder } from './temporary-folder.ts';

const TINY = ['--like', 'pythia-14m', '--layers', '1', '--tokens', '9'];

it('laminar bench sets a profile beside the ceilings of the same run, in JSON or a table', async () => {
  const folder = await temporaryFolder();
  const result = await laminar(['bench', ...TINY, '--json'], { env: { TMPDIR: folder } });
  // It says which stage runs: on some adapters each takes minutes.
  expect(complaints(result)).toMatch(
    /^laminar: writing .*\nlaminar: measuring .*\nlaminar: profiling once, .*\n(laminar: profiling to measure, .*\n)+laminar: profiling once more, .*$/,
  );
  expect(result.code).toBe(0);
  const report = JSON.parse(result.stdout) as BenchResult;
  const { ceilings, forward, spectrum, kernels } = report;
  expect(report).toMatchObject({
    model: { like: 'pythia-14m', layers: 1, width: 128, dtype: 'F16', resident: true },
    tokens: 9,
    spectrum: { matrices: 4 },
  });
  expect(report.adapter.description).not.toBe('');
  expect(ceilings.copy_bytes_per_second).toBeGreaterThan(0);
  expect(ceilings.matrix_products.slice(0, 4)).toMatchObject([
    { rows: 18, inner: 128, columns: 384 },
    { rows: 18, inner: 128, columns: 128 },
    { rows: 18, inner: 128, columns: 512 },
    { rows: 18, inner: 512, columns: 128, dtype: 'F16', layout: '[out, in]' },
  ]);
  expect(ceilings.flops).toBe(Math.max(...ceilings.matrix_products.map(({ flops }) => flops)));
  expect(forward.tokens_per_second).toBeCloseTo(18 / forward.seconds, 6);
  // Two operations for each weight of the block's matrices and of lm_head, for each of 18 tokens, and attention's.
  const operations = 18 * 2 * (12 * 128 ** 2 + 50304 * 128) + 2 * 2 * 9 * 10 * 128;
  expect((forward.flops * forward.seconds) / operations).toBeCloseTo(1, 6);
  for (const { seconds, flops, of_ceiling: part } of [forward, spectrum]) {
    expect(seconds).toBeGreaterThan(0);
    expect(part).toBeCloseTo(flops / ceilings.flops, 9);
  }
  if (kernels) {
    const product = kernels.find(({ kernel }) => kernel.startsWith('matrix-product'));
    expect(product?.dispatches).toBeGreaterThan(4);
    expect(product?.milliseconds).toBeGreaterThan(0);
  }
  expect((await readdir(folder)).filter((name) => name.startsWith('laminar-bench-'))).toEqual([]);
  const table = describeBench(report);
  expect(table).toMatch(/: pythia-14m's shape, 1 layers of width 128, F16 weights that stay, 2 x 9 tokens\n/);
  for (const row of ['copy .* GB/s', '18 x 128 x 384 F16 .* GFLOP/s', 'forward .* s ', 'spectrum .* s ']) {
    expect(table).toMatch(new RegExp(`^ *${row}`, 'm'));
  }
});

it.each([
  ['--like gpt5', /^laminar: gpt5: is no model whose shape is known; choose one of distilgpt2/],
  [
    '--tokens 1025',
    /^laminar: --tokens 1025 is more than the context of gpt2, 1024 tokens; give --tokens 1024 or fewer$/,
  ],
])('laminar bench %s: is refused before any work', async (flags, line) => {
  const folder = await temporaryFolder();
  const result = await laminar(['bench', ...flags.split(' ')], { env: { TMPDIR: folder } });
  expect(result.code).toBe(2);
  expect(complaints(result)).toMatch(line);
  expect(await readdir(folder)).toEqual([]);
});

it('laminar bench stops at Ctrl-C while the GPU computes, and leaves nothing behind', async () => {
  const folder = await temporaryFolder();
  const result = await laminar(['bench', '--like', 'pythia-14m', '--layers', '1', '--tokens', '1024'], {
    env: { TMPDIR: folder },
    killWhen: ['SIGINT', async (stderr) => Promise.resolve(stderr.includes('profiling once'))],
  });
  expect(complaints(result)).toMatch(/profiling once, .*\nlaminar: interrupted$/);
  expect([result.code, result.stdout]).toEqual([130, '']);
  expect((await readdir(folder)).filter((name) => name.startsWith('laminar-bench-'))).toEqual([]);
});
