import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { allComparisons, comparisonCells } from '../../../src/analysis/measures/comparisons.ts';
import { readMeasuresAndComparisons } from '../../../src/analysis/measures/read-measures.ts';
import { allMeasures } from '../../../src/analysis/measures/table.ts';
import { StateComparer } from '../../../src/analysis/state-comparer.ts';
import { readFixtureTensors } from '../../support/fixture-files.ts';
import { readExpectedSequences } from '../../support/golden-measures.ts';

test('states that pass by are compared as the golden answers of alice-pythia are', async () => {
  using gpu = await openTestGpu();
  const tensors = await readFixtureTensors('test/golden/alice-pythia/expected.safetensors');
  const [real, shuffled] = ['real', 'shuffled'].map(
    (sequence) => tensors.get(`${sequence}.hidden_states`)!.values as Float32Array<ArrayBuffer>,
  );
  const [states, rows, columns] = tensors.get('real.hidden_states')!.shape as [number, number, number];
  const size = rows * columns;
  const comparer = new StateComparer(gpu, ['real', 'shuffled'], allComparisons, undefined);
  for (let layer = 0; layer < states; layer += 1) {
    const values = new Float32Array(2 * size);
    values.set(real!.subarray(layer * size, (layer + 1) * size));
    values.set(shuffled!.subarray(layer * size, (layer + 1) * size), size);
    using tensor = gpu.upload('states', [2 * rows, columns], values);
    await comparer.add({ name: 'hidden_states', layer, tensor });
    await comparer.add({ name: 'residual_final', layer, tensor });
  }
  const { pairs } = await readExpectedSequences();
  const [ofReal, ofShuffled] = comparer.layers;
  expect([ofReal!.length, ofShuffled!.length]).toEqual([states, states]);
  expect(ofReal![0]).toEqual({ cka: { before: null, real: null }, angles: { before: null, real: null } });
  pairs.real_consecutive.forEach(({ cka, angles }, layer) => {
    const next = ofReal![layer + 1]!;
    expect(Math.abs(next.cka!.before!.debiased - cka!.debiased)).toBeLessThanOrEqual(5e-6);
    expect(Math.abs(next.angles!.before!.overlap - angles!.overlap)).toBeLessThanOrEqual(1e-5);
    expect(next.cka!.real).toBeNull();
  });
  pairs.real_shuffled_angles.forEach((angles, layer) => {
    const own = ofShuffled![layer]!;
    expect(Math.abs(own.angles!.real!.overlap - angles!.overlap)).toBeLessThanOrEqual(1e-5);
    expect(comparisonCells(['angles'], own).map(({ key, value }) => [key, value])).toEqual([
      ['overlap_before', own.angles!.before?.overlap ?? null],
      ['overlap_real', own.angles!.real!.overlap],
    ]);
  });
});

test('cka and angles are asked for by name, and all has only the measures of one matrix', () => {
  expect(readMeasuresAndComparisons('angles, cka')).toEqual(['cka', 'angles']);
  expect(readMeasuresAndComparisons('cka,rankme')).toEqual(['rankme', 'cka']);
  expect(readMeasuresAndComparisons('all,angles')).toEqual([...allMeasures, 'angles']);
  expect(readMeasuresAndComparisons('all')).toEqual(allMeasures);
  expect(() => readMeasuresAndComparisons('cka,ckb')).toThrow(/did you mean cka/u);
});
