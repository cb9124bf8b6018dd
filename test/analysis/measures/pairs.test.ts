import { describe, expect, test } from 'vitest';
import { kernelAlignment, principalAngles } from '../../../src/analysis/measures/pairs.ts';
import type { ComparedMatrix } from '../../../src/analysis/measures/pairs.ts';
import { InputError, NumericalError } from '../../../src/engine/errors.ts';
import { readFixtureTensors } from '../../support/fixture-files.ts';
import {
  readExpectedMeasures,
  readExpectedSequences,
  readMeasuredMatrix,
} from '../../support/golden-measures.ts';
import type { ExpectedPair } from '../../support/golden-measures.ts';
import { MatrixSource } from '../../support/matrices.ts';

const source = new MatrixSource(5);

const random = (rows: number, columns: number, name = 'random'): ComparedMatrix => ({
  name,
  rows,
  columns,
  values: Float32Array.from(source.random(rows, columns)),
});

function expectAlignment(a: ComparedMatrix, b: ComparedMatrix, expected: NonNullable<ExpectedPair['cka']>) {
  const actual = kernelAlignment(a, b)!;
  expect(Math.abs(actual.biased - expected.biased)).toBeLessThanOrEqual(5e-6);
  expect(Math.abs(actual.debiased - expected.debiased)).toBeLessThanOrEqual(5e-6);
}

function expectAngles(a: ComparedMatrix, b: ComparedMatrix, expected: NonNullable<ExpectedPair['angles']>) {
  const actual = principalAngles(a, b)!;
  expect(actual.k).toBe(expected.k);
  const most = Math.max(1e-5, 1e-6 / Math.min(...expected.gaps));
  expect(actual.cosines).toHaveLength(expected.k);
  actual.cosines.forEach((cosine, index) => {
    expect(Math.abs(cosine - expected.cosines[index]!)).toBeLessThanOrEqual(most);
  });
  expect(Math.abs(actual.overlap - expected.overlap)).toBeLessThanOrEqual(1e-5);
  actual.gaps.forEach((gap, index) => {
    expect(gap).toBeCloseTo(expected.gaps[index]!, 6);
  });
}

describe('golden pairs', async () => {
  const { pairs } = await readExpectedMeasures();
  test.each(Object.entries(pairs))('%s', async (_, { files, cka, angles }) => {
    const [a, b] = await Promise.all(
      files.map(async (name) => ({ name, ...(await readMeasuredMatrix(name)) })),
    );
    if (cka) expectAlignment(a!, b!, cka);
    else expect(() => kernelAlignment(a!, b!)).toThrow(InputError);
    if (angles) expectAngles(a!, b!, angles);
    else expect(() => principalAngles(a!, b!)).toThrow(InputError);
  });

  test('layers of alice-pythia, and the same layer real and shuffled', async () => {
    const tensors = await readFixtureTensors('test/golden/alice-pythia/expected.safetensors');
    const layers = (sequence: string) => {
      const { shape, values } = tensors.get(`${sequence}.hidden_states`)!;
      const [states, rows, columns] = shape as [number, number, number];
      return Array.from({ length: states }, (__, layer): ComparedMatrix => ({
        name: `${sequence} ${layer}`,
        rows,
        columns,
        values: (values as Float32Array<ArrayBuffer>).slice(
          layer * rows * columns,
          (layer + 1) * rows * columns,
        ),
      }));
    };
    const [real, shuffled] = [layers('real'), layers('shuffled')];
    const expected = await readExpectedSequences();
    expected.pairs.real_consecutive.forEach(({ cka, angles }, layer) => {
      expectAlignment(real[layer]!, real[layer + 1]!, cka!);
      expectAngles(real[layer]!, real[layer + 1]!, angles!);
    });
    expected.pairs.real_shuffled_angles.forEach((angles, layer) => {
      expectAngles(real[layer]!, shuffled[layer]!, angles!);
    });
  });
});

test('a matrix and itself, moved, turned and scaled, are alike', () => {
  const matrix = random(40, 6);
  const moved = matrix.values.map((value, index) => -1e20 * (value + (index % 6)));
  const other = { ...matrix, name: 'moved', values: moved as Float32Array<ArrayBuffer> };
  expect(kernelAlignment(matrix, other)!.biased).toBeCloseTo(1, 6);
  expect(kernelAlignment(matrix, other)!.debiased).toBeCloseTo(1, 6);
  const angles = principalAngles(matrix, other)!;
  expect(angles.k).toBe(6);
  expect(angles.overlap).toBeCloseTo(1, 6);
});

test('many rows and many columns give the same alignment as each other', () => {
  const narrow = random(50, 3);
  const zeros = (columns: number) => {
    const values = new Float32Array(50 * columns);
    narrow.values.forEach((value, index) => {
      values[Math.floor(index / 3) * columns + (index % 3)] = value;
    });
    return { name: 'padded', rows: 50, columns, values };
  };
  const other = random(50, 4);
  const expected = kernelAlignment(narrow, other)!;
  const padded = kernelAlignment(zeros(200), { ...other })!;
  expect(padded.biased).toBeCloseTo(expected.biased, 12);
  expect(padded.debiased).toBeCloseTo(expected.debiased, 12);
});

test('what cannot be compared gives null or names the matrices', () => {
  const flat = { ...random(10, 4, 'flat'), values: new Float32Array(40).fill(3) };
  expect(kernelAlignment(random(10, 4), flat)).toBeNull();
  expect(principalAngles(flat, random(10, 4))).toBeNull();
  expect(kernelAlignment(random(2, 4), random(2, 4))).toBeNull();
  expect(() => kernelAlignment(random(3, 4, 'one'), random(4, 4, 'two'))).toThrow(/one has 3 rows and two 4/);
  expect(() => principalAngles(random(3, 4, 'one'), random(3, 5, 'two'))).toThrow(
    /one has 4 columns and two 5/,
  );
  const bad = { ...random(5, 4, 'bad'), values: new Float32Array(20).fill(NaN) };
  expect(() => principalAngles(bad, random(5, 4))).toThrow(NumericalError);
});
