import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { findNonfinite } from '../../../src/engine/kernels.ts';
import { weightFormats } from '../../support/packed.ts';
import type { WeightFormat } from '../../support/packed.ts';
import { runKernel } from '../../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const formats: Readonly<Record<WeightFormat, { bytes: 2 | 4; finite: number[]; nonfinite: number[] }>> = {
  F32: {
    bytes: 4,
    // ±0, ±1, ± the largest, ± the smallest normal and subnormal
    finite: [0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 0x00800000, 0x807fffff, 1],
    // ±∞, quiet and signalling NaNs
    nonfinite: [0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff],
  },
  F16: {
    bytes: 2,
    finite: [0, 0x8000, 0x3c00, 0xbc00, 0x7bff, 0xfbff, 0x0400, 0x83ff, 1],
    nonfinite: [0x7c00, 0xfc00, 0x7e00, 0xfe00, 0x7c01, 0xffff],
  },
  BF16: {
    bytes: 2,
    // 0x7c00 and 0x7f7f are finite here
    finite: [0, 0x8000, 0x3f80, 0xbf80, 0x7f7f, 0xff7f, 0x7c00, 0x807f, 1],
    nonfinite: [0x7f80, 0xff80, 0x7fc0, 0xffc0, 0x7f81, 0xffff],
  },
};

/** Which of three slots are set after looking through the elements with slot 1. */
async function search(
  format: WeightFormat,
  patterns: readonly number[],
  elements: number,
  workgroups: number,
) {
  const values = formats[format].bytes === 4 ? Uint32Array.from(patterns) : Uint16Array.from(patterns);
  const { found } = await runKernel(gpu, findNonfinite, {
    buffers: { values, found: new Uint32Array(3) },
    uniforms: { elements, slot: 1, workgroups },
    constants: { weightFormat: weightFormats.indexOf(format) },
    workgroups: [workgroups],
  });
  return [...new Uint32Array(found)];
}

test.each(weightFormats)('%s: finite elements of every kind raise nothing', async (format) => {
  const { finite } = formats[format];
  const patterns = Array.from({ length: 1001 }, (_, index) => finite[index % finite.length]!);
  for (const elements of [1, 2, 9, 1000, 1001]) {
    expect(await search(format, patterns.slice(0, elements), elements, 2)).toEqual([0, 0, 0]);
  }
});

test.each(weightFormats)('%s: each kind of NaN and infinity is found at any place', async (format) => {
  const { finite, nonfinite } = formats[format];
  for (const [index, bad] of nonfinite.entries()) {
    // First, second, beyond the first round of all threads, last of an odd number.
    for (const place of [0, 1, 600 + index, 1000]) {
      const patterns = new Array<number>(1001).fill(finite[4]!);
      patterns[place] = bad;
      expect(await search(format, patterns, 1001, 2), `${bad.toString(16)} at ${place}`).toEqual([0, 1, 0]);
    }
  }
});

test('what lies beyond the elements is not looked at', async () => {
  const patterns = new Array<number>(300).fill(0).concat(0x7f800000, 0xffc00000);
  expect(await search('F32', patterns, 300, 1)).toEqual([0, 0, 0]);
});
