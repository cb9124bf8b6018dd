import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { Pace, WorkBudget } from '../../../src/engine/gpu/pace.ts';

describe('the budget of a submission', () => {
  /** Submits full budgets to a device of so many operations a millisecond. @returns how long each took */
  function times(rate: number, submissions: number, budget = new WorkBudget(1e9, 100)): number[] {
    return Array.from({ length: submissions }, () => {
      const { work } = budget;
      budget.observe(work, work / rate);
      return work / rate;
    });
  }

  test.each([1e6, 1e7, 1e8, 1e10])('a device of %f operations a millisecond', (rate) => {
    const taken = times(rate, 20);
    expect(taken.at(-1)).toBeCloseTo(100);
    // The first is what it is; after it none is longer than the target by more than one change allows.
    expect(Math.max(...taken.slice(2))).toBeLessThanOrEqual(Math.max(100.001, taken[0]! / 16));
  });

  test('a device that becomes slower gets less at once', () => {
    const budget = new WorkBudget(1e9, 100);
    times(1e7, 10, budget);
    expect(times(1e6, 4, budget).at(-1)).toBeCloseTo(100);
  });

  test('work that may have been less than counted does not raise it, but lowers it', () => {
    const budget = new WorkBudget(1000, 100);
    budget.observe(1000, 1, true);
    expect(budget.work).toBe(1000);
    budget.observe(1000, 200, true);
    expect(budget.work).toBe(500);
  });

  test('a submission of next to nothing says nothing', () => {
    const budget = new WorkBudget(1000, 100);
    budget.observe(10, 5);
    budget.observe(0, 500);
    expect(budget.work).toBe(1000);
  });
});

describe('on a device', () => {
  let gpu: Gpu;
  let buffer: GPUBuffer;
  beforeAll(async () => {
    gpu = await openTestGpu();
    buffer = gpu.allocate('cleared', 256);
  });
  afterAll(() => {
    gpu.dispose();
  });

  test('an abort is heard at the next step', async () => {
    const abort = new AbortController();
    const pace = new Pace(gpu, 'test', abort.signal);
    await pace.add(1, (recorder) => recorder.clear(buffer));
    abort.abort(new Error('enough'));
    await expect(pace.add(1, (recorder) => recorder.clear(buffer))).rejects.toThrow('enough');
    await expect(pace.finish()).rejects.toThrow('enough');
  });

  test('what fails is heard when it is waited for, and not before', async () => {
    const other = await openTestGpu();
    const pace = new Pace(other, 'test');
    const target = other.allocate('cleared', 256);
    pace.recorder.clear(target);
    pace.submit();
    other.dispose();
    await expect(pace.finish()).rejects.toThrow('dispose');
  });

  test('everything recorded is done after finish', async () => {
    gpu.write(buffer, 0, new Uint32Array(64).fill(7));
    const pace = new Pace(gpu, 'test');
    for (let at = 0; at < 256; at += 4) await pace.add(1e30, (recorder) => recorder.clear(buffer, at, 4));
    await pace.finish();
    expect(new Uint32Array(await gpu.readBytes(buffer))).toEqual(new Uint32Array(64));
  });
});
