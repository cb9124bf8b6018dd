import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { measureCopy, measureMultiplyAdd, measureProduct } from '../../src/engine/ceilings.ts';
import { copyGroups, multiplyAdd, OPERATIONS_PER_STEP } from '../../src/engine/ceilings/kernels.ts';
import multiplyAddSource from '../../src/shaders/ceilings/ceiling-multiply-add.wgsl?raw';
import { useFasterClock } from '../support/faster-clock.ts';
import { KernelBench } from '../support/kernel-bench.ts';

useFasterClock();

test('each ceiling is a positive rate', async () => {
  using gpu = await openTestGpu({ memoryLimit: 8 * 2 ** 20 });
  const copies = await measureCopy(gpu);
  const rates = [
    copies.command,
    copies.kernel,
    await measureMultiplyAdd(gpu, true),
    await measureMultiplyAdd(gpu, false),
    await measureProduct(gpu, { rows: 16, inner: 32, columns: 48, dtype: 'F16', layout: '[out, in]' }),
  ];
  for (const rate of rates) {
    expect(rate).toBeGreaterThan(0);
    expect(rate).toBeLessThan(Infinity);
  }
  expect(gpu.allocatedBytes).toBe(0);
});

test.each([0, 1])('multiply-add computes what is counted: fused %d', async (fused) => {
  using gpu = await openTestGpu();
  using bench = new KernelBench(gpu);
  const threads = 64;
  const output = bench.output(threads);
  const [steps, factor, term] = [2, 0.875, 0.25];
  await bench.run((recorder) =>
    recorder.dispatch(multiplyAdd, {
      bindings: { output },
      uniforms: { steps, factor, term },
      constants: { threads, fused },
      workgroups: [1],
    }),
  );
  const values = await bench.floats(output);
  const perFloat = multiplyAddSource.match(/a1 = next/g)!.length;
  expect(OPERATIONS_PER_STEP).toBe(12 * perFloat * 2);
  values.forEach((value, thread) => {
    let sum = 0;
    for (const start of [0, 0.25, 0.5]) {
      let a = thread / 256 + start;
      for (let i = 0; i < steps * perFloat; i++) a = a * factor + term;
      sum += 4 * a;
    }
    expect(value / sum).toBeCloseTo(1, 5);
  });
});

test('a copy copies all of it, whatever the number of threads', async () => {
  using gpu = await openTestGpu();
  using bench = new KernelBench(gpu);
  const values = Float32Array.from({ length: 4 * 333 }, (_, index) => index + 0.5);
  const [source, destination] = [bench.input(values), bench.output(values.length)];
  await bench.run((recorder) =>
    recorder.dispatch(copyGroups, {
      bindings: { source, destination },
      uniforms: { elements: 333, stride: 128 },
      workgroups: [2],
    }),
  );
  expect(await bench.floats(destination)).toEqual(values);
});
