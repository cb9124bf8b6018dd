import { describe, expect, test } from 'vitest';
import { matrixShapesOf } from '../../../src/engine/gpu/subgroup-matrices.ts';
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
  test.each([4, 8])('where a CPU plays a GPU with subgroups of exactly %i', (lanes) => {
    const tuning = tune({ ...hardware, software: true, subgroups: { min: lanes, max: lanes } });
    const variant = lanes === 4 ? 'lanes' : 'eight';
    expect(tuning).toMatchObject({ lanes, product: variant, attention: variant });
  });

  test.each([
    ['another size', { min: 16, max: 16 }],
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

describe('subgroup matrices make products where they were asked for', () => {
  const halves = { component: 'f16', rows: 16, columns: 16, terms: 16 } as const;
  const narrow = { ...halves, columns: 8 } as const;
  const whole = { component: 'f32', rows: 8, columns: 8, terms: 8 } as const;
  const chosen = (matrices: DeviceTraits['matrices'], more: Partial<DeviceTraits> = {}) =>
    tune({ ...hardware, ...more, ...(matrices && { matrices }) }).matrices;

  test('none if they were not asked for, or none is there', () => {
    for (const matrices of [undefined, []]) {
      expect(chosen(matrices)).toBeUndefined();
      expect(tune({ ...hardware, ...(matrices && { matrices }) }).product).toBe('tiles');
    }
  });

  test('the largest that fits, with threads for four of the largest subgroups', () => {
    expect(chosen([narrow, halves])).toEqual({ ...halves, threads: 128 });
    expect(tune({ ...hardware, matrices: [narrow, halves] }).product).toBe('matrices');
    expect(chosen([narrow, halves], { workgroupMemory: 12_000 })).toEqual({ ...narrow, threads: 128 });
    expect(chosen([halves], { subgroups: { min: 32, max: 64 } })?.threads).toBe(256);
  });

  test('those of F32 before those of F16: nothing is split then', () => {
    expect(chosen([halves, whole, narrow])).toEqual({ ...whole, threads: 128 });
  });

  test.each([
    ['subgroups are not told', { subgroups: undefined }],
    ['four subgroups are too many threads', { subgroups: { min: 32, max: 128 } }],
    ['there is not memory enough', { workgroupMemory: 8192 }],
  ])('none if %s', (_, more) => {
    expect(chosen([halves], more)).toBeUndefined();
    expect(tune({ ...hardware, ...more, matrices: [halves] }).product).not.toBe('matrices');
  });

  test('none of more terms than a tile has', () => {
    expect(chosen([{ ...halves, terms: 32 }])).toBeUndefined();
  });

  test('on a CPU that plays the GPU, too', () => {
    const software = { ...hardware, software: true, subgroups: { min: 8, max: 8 } };
    expect(tune({ ...software, matrices: [whole] }).product).toBe('matrices');
    expect(tune(software).product).toBe('eight');
  });

  test('told in words', () => {
    expect(describeTuning(tune({ ...hardware, matrices: [halves] }))[1]).toMatch(
      /^matrix product: subgroup matrices of 16 × 16 × 16, factors in two parts of f16;/,
    );
    expect(describeTuning(tune({ ...hardware, matrices: [halves] }))[0]).toMatch(
      /their matrices make products/,
    );
    expect(describeTuning(tune({ ...hardware, matrices: [whole] }))[1]).toMatch(/8 × 8 × 8, factors in f32;/);
  });

  test.each([
    ['without the feature', [], []],
    ['of F16 without the feature for F16', ['chromium-experimental-subgroup-matrix'], [whole]],
    [
      'with sums in F32 alone',
      ['chromium-experimental-subgroup-matrix', 'shader-f16'],
      [{ ...halves, columns: 8 }, whole],
    ],
  ])('shapes %s', (_, features, expected) => {
    const config = (componentType: string, resultComponentType: string, [M, N, K]: readonly number[]) => ({
      componentType,
      resultComponentType,
      M,
      N,
      K,
    });
    const subgroupMatrixConfigs = [
      config('f16', 'f16', [16, 16, 16]),
      config('f16', 'f32', [16, 8, 16]),
      config('u8', 'u32', [16, 16, 32]),
      config('f32', 'f32', [8, 8, 8]),
    ];
    const info = { subgroupMatrixConfigs } as unknown as GPUAdapterInfo;
    expect(matrixShapesOf({ features: new Set(features), info })).toEqual(expected);
  });
});

test('decisions are told in words', () => {
  const software = tune({ ...hardware, software: true, subgroups: { min: 4, max: 4 } });
  expect(describeTuning(software)).toContain('subgroups: 4; four lanes share their loads');
  const eight = tune({ ...hardware, software: true, subgroups: { min: 8, max: 8 } });
  expect(describeTuning(eight)).toContain('subgroups: 8; eight lanes share their loads');
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
