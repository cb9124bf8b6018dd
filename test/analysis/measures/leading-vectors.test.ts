import { expect, test } from 'vitest';
import { atOnce } from '../../../src/engine/abort.ts';
import { firstComponentSteps } from '../../../src/analysis/measures/component.ts';
import { dot, leadingVectorSteps, times } from '../../../src/analysis/measures/leading-vectors.ts';
import { tridiagonalEigen } from '../../../src/analysis/measures/tridiagonal.ts';
import { centredColumns, singularValues } from '../../support/jacobi-svd.ts';
import { MatrixSource } from '../../support/matrices.ts';

const source = new MatrixSource(3);

/** All singular values of a matrix as it stands, in float64. */
function referenceValues(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const vectors = Array.from({ length: columns }, (_, column) =>
    Float64Array.from({ length: rows }, (__, row) => matrix[row * columns + column]!),
  );
  return singularValues(vectors);
}

test.each([
  ['random', 60, 40, 10, (rows: number, columns: number) => source.random(rows, columns)],
  ['wide', 20, 90, 10, (rows: number, columns: number) => source.random(rows, columns)],
  ['massive row', 50, 30, 1, (rows: number, columns: number) => source.massive(rows, columns, 3000, 'row')],
  ['rank 4', 30, 25, 10, (rows: number, columns: number) => source.ofRank(rows, columns, 4)],
  ['one column', 30, 1, 3, (rows: number, columns: number) => source.random(rows, columns)],
  ['two rows', 2, 12, 3, (rows: number, columns: number) => source.random(rows, columns)],
])('leading vectors of %s, %i x %i', (_, rows, columns, count, make) => {
  const centred = centredColumns(make(rows, columns), rows, columns);
  const reference = referenceValues(centred, rows, columns);
  const rank = reference.filter((value) => value > 1e-10 * reference[0]!).length;
  const { squares, right } = atOnce(leadingVectorSteps(centred, rows, columns, count));
  expect(right).toHaveLength(Math.min(count, rank));
  right.forEach((vector, k) => {
    expect(Math.sqrt(squares[k]!) / reference[k]!).toBeCloseTo(1, 10);
    expect(
      Math.sqrt(dot(times(centred, rows, columns, vector), times(centred, rows, columns, vector))),
    ).toBeCloseTo(reference[k]!, 6);
    right.slice(0, k).forEach((other) => {
      expect(Math.abs(dot(vector, other))).toBeLessThan(1e-12);
    });
  });
});

test('eigenvalues of the second difference, and elements of their vectors', () => {
  const size = 9;
  const { values, rows } = tridiagonalEigen(
    new Float64Array(size).fill(2),
    new Float64Array(size - 1).fill(-1),
    [0, size - 1],
  );
  values.forEach((value, index) => {
    const angle = ((size - index) * Math.PI) / (size + 1);
    expect(value).toBeCloseTo(2 - 2 * Math.cos(angle), 12);
    const element = Math.sqrt(2 / (size + 1)) * Math.sin(angle);
    expect(Math.abs(rows[0]![index]!)).toBeCloseTo(element, 12);
    expect(Math.abs(rows[1]![index]!)).toBeCloseTo(element, 12);
  });
});

test('equal shares stand in the order of their numbers, and few rows show what there is', () => {
  // The first component is (1, 1, 1, 1) / 2 over the columns; rows 1 and 2 carry it alike.
  const centred = Float64Array.from([0, 0, 0, 0, 1, 1, 1, 1, -1, -1, -1, -1]);
  const numbers = { firstToken: 5, dimensions: [2, 3, 7, 9] };
  const component = atOnce(firstComponentSteps(centred, 3, 4, Float64Array.of(Math.sqrt(8), 0, 0), numbers))!;
  expect(component).toMatchObject({ share: 1, gap: 1, next_token_share: null });
  expect(component.tokens.map(({ token }) => token)).toEqual([6, 7, 5]);
  expect(component.dimensions.map(({ dimension }) => dimension)).toEqual([2, 3, 7]);
  expect(component.next_dimension_share).toBeCloseTo(0.25, 12);
  expect(atOnce(firstComponentSteps(new Float64Array(12), 3, 4, new Float64Array(3), numbers))).toBeNull();
});
