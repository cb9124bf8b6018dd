import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { UnreadMatrix } from '../../../src/analysis/measure-matrices.ts';
import { measureViews } from '../../../src/analysis/measures/measure-views.ts';
import { allMeasures } from '../../../src/analysis/measures/table.ts';
import { viewNames } from '../../../src/analysis/views.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { readFixtureTensors } from '../../support/fixture-files.ts';
import {
  matrixDifferences,
  readExpectedMeasures,
  readExpectedSequences,
  readMeasuredMatrix,
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

test('layers of alice-pythia as a stack', async () => {
  const tensors = await readFixtureTensors('test/golden/alice-pythia/expected.safetensors');
  const { listed_dimensions, sequences } = await readExpectedSequences();
  const { shape, values } = tensors.get('real.hidden_states')!;
  const [, rows, columns] = shape as [number, number, number];
  const layers = [1, 6];
  const stack = layers.map((layer): UnreadMatrix => ({
    name: `layer ${layer}`,
    rows,
    columns,
    read: () =>
      Promise.resolve(
        (values as Float32Array<ArrayBuffer>).slice(layer * rows * columns, (layer + 1) * rows * columns),
      ),
  }));
  const request = { views: viewNames, measures: allMeasures, listedDimensions: [...listed_dimensions] };
  const answers = await measureViews(gpu, stack, request, { threshold: 95 });
  layers.forEach((layer, index) => {
    expect(matrixDifferences(answers[index]!.viewed, sequences.real[layer]!), `layer ${layer}`).toEqual([]);
  });
});
