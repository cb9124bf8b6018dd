import { expect, test } from 'vitest';
import { fastestOf, kernelRates, rateOf } from '../../../src/node/bench/rates.ts';

const ceiling = { flops: 1000, bytes_per_second: 100 };
const time = (kernel: string, dispatches: number, milliseconds: number) => ({
  kernel,
  dispatches,
  milliseconds,
});

test('a rate is work over time, beside the ceilings', () => {
  expect(rateOf(2, { operations: 400, bytes: 50 }, ceiling)).toEqual({
    seconds: 2,
    flops: 200,
    of_flops: 0.2,
    bytes_per_second: 25,
    of_bytes: 0.25,
  });
});

test.each([
  ['there is no such work', 1, undefined],
  ['it does not count', 1, { operations: 0, bytes: 0 }],
  ["it is shorter than the timer's step", 0, { operations: 5, bytes: 5 }],
])('a rate is null, not NaN, where %s', (_, seconds, work) => {
  expect(rateOf(seconds, work, ceiling)).toEqual({
    seconds,
    flops: null,
    of_flops: null,
    bytes_per_second: null,
    of_bytes: null,
  });
});

test('kernels are found by their names without the variant, the longest first, slowest first', () => {
  const work = {
    product: { operations: 300, bytes: 15 },
    'product-wide': { operations: 10, bytes: 20 },
  };
  const rates = kernelRates(
    [
      time('product', 1, 100),
      time('product-lanes', 2, 200),
      time('product-wide', 4, 500),
      time('sort', 8, 200),
    ],
    work,
    ceiling,
  );
  expect(rates).toMatchObject([
    { kernel: 'product-wide', calls: 4, share: 0.5, seconds: 0.5, flops: 20, bytes_per_second: 40 },
    { kernel: 'product*', calls: 3, share: 0.3, flops: 1000, of_flops: 1, of_bytes: 0.5 },
    { kernel: 'sort', calls: 8, share: 0.2, flops: null, bytes_per_second: null },
  ]);
});

test('no time at all gives no NaN', () => {
  expect(kernelRates([time('sort', 1, 0)], {}, ceiling)[0]!.share).toBe(0);
  const round = kernelRates(
    [time('round-lanes-angles', 1, 1), time('round-lanes-turns', 1, 1)],
    { round: { operations: 1, bytes: 1 } },
    ceiling,
  );
  expect(round.map(({ kernel }) => kernel)).toEqual(['round-lanes-*']);
});

test('of several runs the fastest of each kernel counts', () => {
  const fastest = fastestOf([
    [time('a', 2, 5), time('b', 1, 7)],
    [time('b', 1, 3), time('a', 2, 9)],
  ]);
  expect(fastest).toEqual([time('a', 2, 5), time('b', 1, 3)]);
});
