import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { keepComponents, ReducibleMatrix } from '../../../src/analysis/reduction/reduce-matrix.ts';
import { readComponents } from '../../../src/analysis/reduction/components.ts';
import type { Components } from '../../../src/analysis/reduction/components.ts';
import { InputError } from '../../../src/engine/errors.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { relativeDistance } from '../../support/distance.ts';
import { centredColumns, singularValues } from '../../support/jacobi-svd.ts';
import { MatrixSource } from '../../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** μ + (X − μ) V_r V_rᵀ in float64; the singular vectors of the longer side do as well as V. */
function reference(matrix: Float32Array, rows: number, columns: number, count: number): Float64Array {
  const centred = centredColumns(matrix, rows, columns);
  const isTransposed = rows > columns;
  const [vectors, length] = isTransposed ? [columns, rows] : [rows, columns];
  const at = (vector: number, k: number) => (isTransposed ? k * columns + vector : vector * columns + k);
  const rotated = Array.from({ length: vectors }, (_, vector) =>
    Float64Array.from({ length }, (_, k) => centred[at(vector, k)]!),
  );
  singularValues(rotated);
  const norm = (vector: Float64Array) => Math.hypot(...vector);
  const kept = rotated.sort((a, b) => norm(b) - norm(a)).slice(0, count);
  const result = Float64Array.from(matrix, (value, index) => value - centred[index]!);
  for (const direction of kept) {
    const square = norm(direction) ** 2;
    for (let vector = 0; vector < vectors; vector++) {
      let along = 0;
      for (let k = 0; k < length; k++) along += direction[k]! * centred[at(vector, k)]!;
      for (let k = 0; k < length; k++) result[at(vector, k)]! += (along / square) * direction[k]!;
    }
  }
  return result;
}

const source = new MatrixSource(5);
const shapes: readonly (readonly [string, number, number, Float32Array])[] = [
  ['more columns than rows', 21, 50, source.random(21, 50)],
  ['more rows than columns', 70, 33, source.random(70, 33)],
  ['a massive token', 40, 70, source.massive(40, 70, 3e4, 'row')],
  ['a massive dimension', 70, 40, source.massive(70, 40, 3e4, 'column')],
  ['a mean that is large beside the spread', 24, 40, source.random(24, 40).map((value) => 300 + value)],
  ['values over six decades', 36, 36, source.graded(36, 36, 1e-6)],
];

test.each(shapes)('cuts %s, [%i, %i], as float64 does', async (name, rows, columns, values) => {
  using tensor = gpu.upload(name, [rows, columns], values);
  using target = gpu.tensor('reduced', [rows, columns]);
  const atRest = gpu.allocatedBytes;
  using matrix = await ReducibleMatrix.open(gpu, { name, buffer: tensor.buffer, rows, columns });
  for (const asked of [1, 2, 7, '95%'] as const) {
    const { components, explained } = await matrix.reduceTo(asked, target.buffer);
    if (asked !== '95%') expect(components).toBe(asked);
    const squares = matrix.singularValues.map((value) => value ** 2);
    const sum = (of: Float32Array) => of.reduce((total, value) => total + value, 0);
    expect(explained).toBeCloseTo((100 * sum(squares.subarray(0, components))) / sum(squares), 3);
    const reduced = await gpu.readFloats(target);
    const expected = reference(values, rows, columns, components);
    expect(relativeDistance(reduced, expected), `${asked}`).toBeLessThan(5e-7);
  }
  // The rank leaves the matrix as it is, in its own place too.
  expect(await matrix.reduceTo(rows * columns, target.buffer)).toEqual({
    components: matrix.rank,
    explained: 100,
  });
  expect(await gpu.readFloats(target)).toEqual(values);
  await matrix.reduceTo(1, tensor.buffer);
  const inPlace = await gpu.readFloats(tensor);
  expect(relativeDistance(inPlace, reference(values, rows, columns, 1))).toBeLessThan(5e-7);
  matrix[Symbol.dispose]();
  expect(gpu.allocatedBytes).toBe(atRest);
});

test('equal rows have no component, and stay', async () => {
  using tensor = gpu.upload('equal rows', [3, 4], new Float32Array(12).fill(0.1));
  using matrix = await ReducibleMatrix.open(gpu, { name: 'x', buffer: tensor.buffer, rows: 3, columns: 4 });
  expect(await matrix.reduceTo('95%', tensor.buffer)).toEqual({ components: 0, explained: null });
  expect(await gpu.readFloats(tensor)).toEqual(new Float32Array(12).fill(0.1));
});

test('reads numbers of components and percents, and refuses the rest by name', () => {
  expect(['4', ' 95% ', '99.5%'].map(readComponents)).toEqual([4, '95%', '99.5%']);
  for (const text of ['0', '-1', '1.5', '0%', '100%', '120%', 'all', ''])
    expect(() => readComponents(text), text).toThrow(InputError);
  expect(() => keepComponents('much%' as Components)).toThrow('is not a number of components');
});
