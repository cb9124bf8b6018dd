import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { spectrumChecks } from '../../../src/analysis/spectrum.ts';
import { NumericalError } from '../../../src/engine/errors.ts';
import { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { checkVariants } from '../../../src/engine/gpu/self-test.ts';
import type { VariantCheck } from '../../../src/engine/gpu/self-test.ts';
import type { SelfTest, Verdict, VerdictStore } from '../../../src/engine/gpu/verdicts.ts';
import { forwardChecks } from '../../../src/engine/variant-checks.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** The test's device under a name of its own, as a hardware GPU; with what it tells. */
function hardware(description: string, verdicts?: VerdictStore): { gpu: Gpu; notices: string[] } {
  const notices: string[] = [];
  const onNotice = (notice: string) => void notices.push(notice);
  return {
    gpu: new Gpu(gpu.device, { ...gpu.adapter, description, software: false }, { onNotice, verdicts }),
    notices,
  };
}

/** A check of a variant that gives `results`. */
function checkOf(
  run: (own: Gpu) => Promise<Float32Array>,
  text = 'its kernel',
): { check: VariantCheck; runs: () => number } {
  let runs = 0;
  const check: VariantCheck = {
    name: 'attention of 64 queries at once',
    isUsed: ({ attention }) => attention === 'wide',
    kernels: [{ source: text, includes: [] }],
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
  const forHardware = forwardChecks.filter(({ onSoftware = false }) => !onSoftware);
  expect(forHardware.filter(({ isUsed }) => isUsed(before))).toEqual(forHardware);
  await checkVariants(used, forwardChecks);
  expect(notices).toEqual([]);
  expect(used.tuning).toEqual(before);
});

test('where a CPU plays the GPU only kernels that are chosen elsewhere are tested, and they pass', async () => {
  if (!gpu.adapter.software || gpu.tuning.lanes === 0) return;
  const notices: string[] = [];
  const tested: string[] = [];
  const adapter = { ...gpu.adapter, description: 'a CPU with eight lanes' };
  const tuning = { product: 'eight', attention: 'eight', head: 'folded', lanes: 8 } as const;
  using own = new Gpu(gpu.device, adapter, { onNotice: (notice) => void notices.push(notice), tuning });
  const watched = [...forwardChecks, ...spectrumChecks].map((check) => ({
    ...check,
    run: (used: Gpu) => {
      const { product, attention, lanes } = used.tuning;
      tested.push(`${check.name}: ${product}, ${attention}, ${lanes}`);
      // Spectra by eight lanes have tests of their own.
      return spectrumChecks.includes(check) ? Promise.resolve(Float32Array.of(1)) : check.run(used);
    },
  }));
  await checkVariants(own, watched);
  expect(tested.sort()).toEqual([
    'attention of eight lanes: eight, eight, 8',
    'attention of eight lanes: eight, staged, 8',
    'the matrix product of eight lanes: direct, eight, 8',
    'the matrix product of eight lanes: eight, eight, 8',
    'the spectrum by eight lanes: eight, eight, 0',
    'the spectrum by eight lanes: eight, eight, 8',
  ]);
  expect(notices).toEqual([]);
  expect(own.tuning).toMatchObject(tuning);
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

/** Remembers in an array, as the faces do in their storage. */
function storeOf(kept: Verdict[]): VerdictStore {
  const isOf = (test: SelfTest) => (verdict: Verdict) =>
    verdict.adapter === test.adapter && verdict.check === test.check && verdict.kernels === test.kernels;
  return {
    find: (test) => Promise.resolve(kept.find(isOf(test))),
    keep: (verdict) => Promise.resolve(void kept.push(verdict)),
  };
}

test('what an earlier run found is not tested again, unless the kernel or its decisions have changed', async () => {
  const { check, runs } = checkOf(() => Promise.resolve(Float32Array.of(1, -100)));
  const kept: Verdict[] = [];
  // Each is another adapter to this process, so that it asks the store; the store is made to take them for one.
  const open = (number: number) => hardware(`a remembered adapter ${number}`, asOne(storeOf(kept)));
  const asOne = (store: VerdictStore): VerdictStore => ({
    find: (test) => store.find({ ...test, adapter: 'one' }),
    keep: (verdict) => store.keep({ ...verdict, adapter: 'one' }),
  });
  const isRunAgain = async (number: number, changed: VariantCheck): Promise<boolean> => {
    const before = runs();
    using used = open(number).gpu;
    await checkVariants(used, [changed]);
    expect(used.tuning.attention).toBe('wide');
    return runs() > before;
  };
  expect(await isRunAgain(1, check)).toBe(true);
  expect(kept).toMatchObject([{ check: check.name, fault: null }]);
  expect(await isRunAgain(2, check)).toBe(false);
  expect(await isRunAgain(3, { ...check, kernels: [{ source: 'another', includes: [] }] })).toBe(true);
  expect(await isRunAgain(4, { ...check, forced: { attentionDepth: 8 } })).toBe(true);
  kept.splice(0, Infinity, { ...kept[0]!, fault: 'it is wrong' });
  const { gpu: own, notices } = open(5);
  using used = own;
  await checkVariants(used, [check]);
  expect(used.tuning.attention).toBe('staged');
  expect(notices.join()).toMatch(/: it is wrong \(found by an earlier run\)\./);
});

test('a store that fails costs a test, and nothing else', async () => {
  const { check, runs } = checkOf(() => Promise.resolve(Float32Array.of(1, -100)));
  const refuse = () => Promise.reject(new Error('no room'));
  const { gpu: own, notices } = hardware('an adapter without a memory', { find: refuse, keep: refuse });
  using used = own;
  await checkVariants(used, [check]);
  expect(runs()).toBe(1);
  expect(notices).toEqual([]);
});

test('where subgroup matrices do not compile, the ordinary product of the adapter takes their place, with one notice', async () => {
  const notices: string[] = [];
  const matrices = { component: 'f16', rows: 8, columns: 8, terms: 8, threads: 32 } as const;
  const tuning = { product: 'matrices', matrices } as const;
  const adapter = { ...gpu.adapter, description: 'an adapter without matrices' };
  using own = new Gpu(gpu.device, adapter, { onNotice: (notice) => void notices.push(notice), tuning });
  await checkVariants(own, forwardChecks);
  expect(own.tuning.product).toBe(gpu.tuning.product);
  expect(notices).toHaveLength(1);
  expect(notices[0]).toMatch(
    /^the matrix product over subgroup matrices does not work on an adapter .*the driver refused it/,
  );
});
