import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { NumericalError } from '../../../src/engine/errors.ts';
import { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { checkVariants } from '../../../src/engine/gpu/self-test.ts';
import type { VariantCheck } from '../../../src/engine/gpu/self-test.ts';
import { forwardChecks } from '../../../src/engine/variant-checks.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** The test's device under a name of its own, as a hardware GPU; with what it tells. */
function hardware(description: string): { gpu: Gpu; notices: string[] } {
  const notices: string[] = [];
  const onNotice = (notice: string) => void notices.push(notice);
  return {
    gpu: new Gpu(gpu.device, { ...gpu.adapter, description, software: false }, { onNotice }),
    notices,
  };
}

/** A check of a variant that gives `results`. */
function checkOf(run: (own: Gpu) => Promise<Float32Array>): { check: VariantCheck; runs: () => number } {
  let runs = 0;
  const check: VariantCheck = {
    name: 'attention of 64 queries at once',
    isUsed: ({ attention }) => attention === 'wide',
    forced: {},
    portable: { attention: 'staged' },
    run: async (own) => {
      if (own.tuning.attention === 'staged') return Float32Array.of(1, -100);
      runs++;
      return run(own);
    },
  };
  return { check, runs: () => runs };
}

test('the kernels for hardware pass', async () => {
  const { gpu: own, notices } = hardware('an honest adapter');
  using used = own;
  const before = used.tuning;
  expect(forwardChecks.filter(({ isUsed }) => isUsed(before))).toHaveLength(forwardChecks.length);
  await checkVariants(used, forwardChecks);
  expect(notices).toEqual([]);
  expect(used.tuning).toEqual(before);
});

test.each([
  [
    'a wrong number',
    () => Promise.resolve(Float32Array.of(1.02, -100)),
    /number 0 of 2 is 1\.02000, .*gives 1\.00000\./,
  ],
  ['a NaN', () => Promise.resolve(Float32Array.of(1, NaN)), /number 1 of 2 is NaN/],
  ['a number missing', () => Promise.resolve(Float32Array.of(1)), /number 1 of 2 is undefined/],
  ['what no sum can be', () => Promise.reject(new NumericalError('a logit is bad')), /a logit is bad/],
  [
    'a kernel that the driver refuses',
    (own: Gpu) => {
      own.device.createShaderModule({ code: 'not WGSL' });
      return Promise.resolve(Float32Array.of(1, -100));
    },
    /the driver refused it/,
  ],
] as const)('%s makes the GPU fall back with a notice, once for the adapter', async (what, run, notice) => {
  const { check, runs } = checkOf(run);
  for (let opened = 0; opened < 2; opened++) {
    const { gpu: own, notices } = hardware(`an adapter with ${what}`);
    using used = own;
    await checkVariants(used, [check]);
    await checkVariants(used, [check]);
    expect(used.tuning.attention).toBe('staged');
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(notice);
    expect(notices[0]).toContain('attention of 64 queries at once does not work on an adapter with');
    used.check();
  }
  expect(runs()).toBe(1);
});

test('a small difference is rounding', async () => {
  const { check } = checkOf(() => Promise.resolve(Float32Array.of(1.005, -100)));
  const { gpu: own, notices } = hardware('an adapter that rounds');
  using used = own;
  await checkVariants(used, [check]);
  expect(used.tuning.attention).toBe('wide');
  expect(notices).toEqual([]);
});

test('a CPU that plays the GPU is not tested', async () => {
  const { check, runs } = checkOf(() => Promise.resolve(Float32Array.of(0, 0)));
  using software = new Gpu(gpu.device, { ...gpu.adapter, software: true }, { tuning: { attention: 'wide' } });
  await checkVariants(software, [check]);
  expect(runs()).toBe(0);
});
