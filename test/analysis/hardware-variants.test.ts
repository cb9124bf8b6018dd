import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { computeSpectra } from '../../src/analysis/spectrum.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { TuningOverrides } from '../../src/engine/gpu/tuning.ts';
import { largestDifference } from '../support/distance.ts';
import { MatrixSource } from '../support/matrices.ts';
import { limitedGpu } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

test('a spectrum from the staged Jacobi rounds is the same', async () => {
  const [rows, columns] = [70, 90];
  const values = new MatrixSource(2).random(rows, columns);
  using matrix = gpu.upload('matrix', [rows, columns], values);
  const spectrumOf = async (tuning: TuningOverrides) => {
    using forced = limitedGpu(gpu, { tuning });
    const [spectrum] = await computeSpectra(forced, [
      { name: 'random', buffer: matrix.buffer, offset: 0, rows, columns },
    ]);
    return spectrum!.singularValues;
  };
  const [staged, direct] = [
    await spectrumOf({ lanes: 0, jacobi: 'staged' }),
    await spectrumOf({ lanes: 0, jacobi: 'direct' }),
  ];
  expect(largestDifference(staged, direct)).toBeLessThanOrEqual(1e-6 * direct[0]!);
});
