import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { spectra } from '../../src/analysis/activation-spectra.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { centredSingularValues } from '../support/jacobi-svd.ts';
import { MatrixSource } from '../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const values = Float32Array.from(new MatrixSource(7).random(24, 12));

function expectClose(actual: Float64Array, expected: Float64Array): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, index) => {
    expect(Math.abs(value - expected[index]!)).toBeLessThan(1e-5 * expected[0]!);
  });
}

test('matrices, heads and stacks are measured under their names', async () => {
  const answers = await spectra(
    {
      states: { shape: [24, 12], values },
      'blocks.0.attn.hook_z': { shape: [24, 3, 4], values },
      pattern: { shape: [3, 8, 12], values },
    },
    { gpu, threshold: 90 },
  );
  expect(Object.keys(answers)).toEqual([
    'states',
    'blocks.0.attn.hook_z',
    'pattern[0]',
    'pattern[1]',
    'pattern[2]',
  ]);
  const whole = centredSingularValues(values, 24, 12);
  for (const name of ['states', 'blocks.0.attn.hook_z']) expectClose(answers[name]!.singularValues, whole);
  const second = centredSingularValues(values.slice(96, 192), 8, 12);
  expectClose(answers['pattern[1]']!.singularValues, second);
  expect(answers['pattern[1]']).toMatchObject({ rows: 8, columns: 12, dimensions: { rank: 7 } });
});

test('a GPU that is opened for it is disposed', async () => {
  let own: Gpu | undefined;
  const map = new Map([['states', { shape: [24, 12], values }]]);
  const { states } = await spectra(map, {}, async () => (own = await openTestGpu()));
  expect(states!.dimensions.rank).toBe(12);
  expect(() => own!.check()).toThrow('after dispose()');
});

test('what is not a matrix is refused by name', async () => {
  await expect(spectra({ a: { shape: [288], values } }, { gpu })).rejects.toThrow('a [288]: is not a matrix');
  await expect(spectra({ a: { shape: [5, 5], values } }, { gpu })).rejects.toThrow(
    'a [5, 5]: has 288 values',
  );
});
