import { describe, expect, test } from 'vitest';
import { describeTuning, evenGroups, tune } from '../../../src/engine/gpu/tuning.ts';
import type { DeviceTraits } from '../../../src/engine/gpu/tuning.ts';

const hardware: DeviceTraits = {
  software: false,
  subgroups: { min: 32, max: 32 },
  workgroupMemory: 16_384,
  maxThreads: 256,
  timestamps: true,
};

describe('lanes share their loads', () => {
  test('where a CPU plays a GPU with subgroups of exactly four', () => {
    expect(tune({ ...hardware, software: true, subgroups: { min: 4, max: 4 } }).lanes).toBe(4);
  });

  test.each([
    ['another size', { min: 8, max: 8 }],
    ['a size that varies', { min: 4, max: 8 }],
    ['no subgroups', undefined],
  ])('not with %s', (_, subgroups) => {
    expect(tune({ ...hardware, software: true, subgroups }).lanes).toBe(0);
  });

  test('not on a hardware GPU', () => {
    expect(tune({ ...hardware, subgroups: { min: 4, max: 4 } }).lanes).toBe(0);
  });
});

test('a decision can be taken another way', () => {
  expect(tune(hardware).product).toBe('tiles');
  expect(tune(hardware, { product: 'direct' }).product).toBe('direct');
});

describe('a hardware GPU gets the kernels that its workgroups can run', () => {
  test('all of them with the portable limits', () => {
    expect(tune(hardware)).toMatchObject({
      product: 'tiles',
      largeTilesFrom: 128,
      attention: 'wide',
      attentionDepth: 16,
      head: 'folded',
      jacobi: 'staged',
    });
  });

  test('more of a head at once where there is memory', () => {
    expect(tune({ ...hardware, workgroupMemory: 32_768 }).attentionDepth).toBe(32);
  });

  test.each([
    ['128 threads', { maxThreads: 128 }],
    ['8 KiB of workgroup memory', { workgroupMemory: 8192 }],
  ])('small tiles and nothing wide with %s', (_, fewer) => {
    expect(tune({ ...hardware, ...fewer })).toMatchObject({
      product: 'tiles',
      largeTilesFrom: Infinity,
      attention: 'staged',
      head: 'folded',
      jacobi: 'direct',
    });
  });

  test('none with 4 KiB', () => {
    const none = tune({ ...hardware, workgroupMemory: 4096 });
    expect(none).toMatchObject({ product: 'staged', attention: 'staged', head: 'logits', jacobi: 'direct' });
  });

  test('none where a CPU plays the GPU', () => {
    const software = tune({ ...hardware, software: true });
    expect(software).toMatchObject({
      product: 'direct',
      attention: 'staged',
      head: 'logits',
      jacobi: 'direct',
    });
  });
});

test('decisions are told in words', () => {
  const software = tune({ ...hardware, software: true, subgroups: { min: 4, max: 4 } });
  expect(describeTuning(software)).toContain('subgroups: 4; four lanes share their loads');
  expect(describeTuning(tune({ ...hardware, subgroups: { min: 8, max: 32 } }))[0]).toMatch(
    /8 to 32; not used/,
  );
  expect(describeTuning(tune({ ...hardware, subgroups: undefined }))[0]).toMatch(/not available/);
});

test.each([
  [40, 30, [20, 20]],
  [7, 3, [2, 2, 3]],
  [3, 5, [3]],
  [5, 1, [1, 1, 1, 1, 1]],
  [4, 0.5, [1, 1, 1, 1]],
  [0, 4, []],
])('%i items in groups of at most %f', (items, most, expected) => {
  expect(evenGroups(items, most)).toEqual(expected);
});
