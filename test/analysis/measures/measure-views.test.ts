import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { UnreadMatrix } from '../../../src/analysis/measure-matrices.ts';
import { measureViews } from '../../../src/analysis/measures/measure-views.ts';
import { allMeasures } from '../../../src/analysis/measures/table.ts';
import { viewNames } from '../../../src/analysis/views.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import {
  readExpectedMeasures,
  readMeasuredMatrix,
  matrixDifferences,
} from '../../support/golden-measures.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const { thresholds, matrices } = await readExpectedMeasures();

describe.each(Object.entries(matrices))('golden %s', (name, expected) => {
  test('every measure of every view', async () => {
    const { values, ...shape } = await readMeasuredMatrix(`${name}.npy`);
    const matrix: UnreadMatrix = { name, ...shape, read: () => Promise.resolve(values) };
    const before = gpu.allocatedBytes;
    const request = {
      views: viewNames,
      measures: allMeasures,
      listedDimensions: expected.listed_dimensions,
    };
    const [measured] = await measureViews(gpu, [matrix], request, { threshold: 95 });
    const { viewed } = measured!;
    expect(viewed.thresholds).toEqual(thresholds);
    expect(Object.keys(viewed.views)).toEqual(Object.keys(expected.views));
    expect(matrixDifferences(viewed, expected)).toEqual([]);
    expect(gpu.allocatedBytes).toBe(before);
  });
});
