import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { decisionsOf } from '../../src/engine/gpu/variants.ts';
import { selfTestOf } from '../../src/engine/gpu/verdicts.ts';
import { forwardChecks } from '../../src/engine/variant-checks.ts';
import { AdapterMemory } from '../../src/node/adapter-memory.ts';
import { rememberFaster } from '../../src/node/bench/remember.ts';
import { fasterOptions } from '../../src/node/bench/tune.ts';
import { explainChoices } from '../../src/node/kernel-choices.ts';
import { temporaryFolder } from './temporary-folder.ts';

let shared: Gpu;
beforeAll(async () => {
  shared = await openTestGpu();
});
afterAll(() => {
  shared.dispose();
});

const hardware = (options: GpuOptions = {}) =>
  new Gpu(shared.device, { ...shared.adapter, software: false }, options);

test('doctor says of each decision why it is taken, and which self-tests are known', async () => {
  const memory = new AdapterMemory([join(await temporaryFolder(), 'laminar')]);
  using gpu = hardware({ choices: { 'layer norm': '32 threads', 'no such decision': 'x', attention: 'y' } });
  const checkNamed = (start: string) => forwardChecks.find(({ name }) => name.startsWith(start))!;
  const tiles = checkNamed('the matrix product in tiles of 64');
  const wide = checkNamed('attention of 64 queries');
  await memory.keep({ ...(await selfTestOf(gpu, tiles)), fault: null });
  await memory.keep({ ...(await selfTestOf(gpu, wide)), fault: 'number 0 of 9 is NaN' });
  const { choices, selfTests } = await explainChoices(gpu, memory);
  expect(choices).toEqual(
    expect.arrayContaining([
      { decision: 'matrix product', option: 'tiles', why: 'default' },
      { decision: 'attention', option: 'staged', why: 'self-test' },
      { decision: 'layer norm', option: '32 threads', why: 'remembered' },
    ]),
  );
  const date = expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string;
  expect(selfTests).toEqual(
    expect.arrayContaining([
      { check: tiles.name, date, fault: null },
      { check: wide.name, date, fault: 'number 0 of 9 is NaN' },
      { check: 'the Jacobi round of 256 threads', date: null, fault: null },
    ]),
  );
});

test('doctor says that subgroup matrices are used because they were asked for', async () => {
  const matrices = { component: 'f16', rows: 8, columns: 8, terms: 8, threads: 32 } as const;
  using gpu = hardware({ tuning: { product: 'matrices', matrices } });
  const { choices, selfTests } = await explainChoices(gpu, new AdapterMemory([]));
  expect(choices[0]).toEqual({ decision: 'matrix product', option: 'matrices', why: 'asked' });
  expect(selfTests[0]).toEqual({
    check: 'the matrix product over subgroup matrices',
    date: null,
    fault: null,
  });
});

test('a CPU that plays the GPU needs no self-test, unless its kernels are those of eight lanes', async () => {
  const tuning = { product: 'direct', attention: 'staged', lanes: 0 } as const;
  using gpu = new Gpu(shared.device, shared.adapter, { tuning });
  const { choices, selfTests } = await explainChoices(gpu, new AdapterMemory([]));
  expect(choices.map(({ why }) => why)).not.toContain('self-test');
  expect(selfTests).toEqual([]);
});

test('options that are faster by a tenth on every shape are remembered, and nothing else', async () => {
  const memory = new AdapterMemory([join(await temporaryFolder(), 'laminar')]);
  using gpu = hardware();
  const decisions = decisionsOf(gpu.tuning);
  const times: Record<string, readonly (number | null)[]> = {
    'layer norm: 64 threads': [1, 1], // chosen
    'layer norm: 32 threads': [0.8, 0.7],
    'layer norm: 8 threads': [0.5, 0.95],
    'attention: wide': [1, null], // chosen
    'attention: staged': [0.1, 0.1],
    'log-softmax: 128 threads': [1, 1], // chosen
    'log-softmax: 32 threads': [0.95, 0.8],
  };
  const faster = fasterOptions(decisions, (decision, option) => times[`${decision}: ${option}`] ?? []);
  expect(faster).toEqual({ 'layer norm': '32 threads' });

  const remembering = (found: Record<string, string>) =>
    rememberFaster(
      {
        faster: found,
        decisions: decisions.map((it) => ({
          ...it,
          options: it.options.map((o) => ({ ...o, seconds: [] })),
        })),
      },
      memory,
    );
  expect(await remembering({})).toMatch(/^Nothing is remembered: no option was faster/);
  expect(await remembering(faster)).toMatch(/^Remembered .*: layer norm: 32 threads \(in .*adapters\.json; /);
  expect(await remembering({ attention: 'staged' })).toMatch(/layer norm: 32 threads; attention: staged/);
});
