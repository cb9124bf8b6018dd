/**
 * The spectrum's oracle: plain, unblocked one-sided Jacobi in float64 (Golub and Van Loan, Matrix Computations, 8.6).
 * @param matrix row-major [rows, columns]
 * @returns the min(rows, columns) singular values, descending, of the matrix centred in float64 and rounded to float32.
 */
export function centredSingularValues(matrix: Float32Array, rows: number, columns: number): Float64Array {
  const centred = Float32Array.from(centredColumns(matrix, rows, columns));
  const transposed = rows > columns;
  const count = Math.min(rows, columns);
  const length = Math.max(rows, columns);
  const vectors = Array.from({ length: count }, (_, vector) =>
    Float64Array.from(
      { length },
      (_, k) => centred[transposed ? k * columns + vector : vector * columns + k]!,
    ),
  );
  return singularValues(vectors);
}

/** x minus its column's mean, in float64, the mean summed twice so that it is good to the last bit. */
export function centredColumns(
  matrix: Float32Array | Float64Array,
  rows: number,
  columns: number,
): Float64Array {
  const centred = Float64Array.from(matrix);
  for (let column = 0; column < columns; column++) {
    for (let pass = 0; pass < 2; pass++) {
      let sum = 0;
      for (let row = 0; row < rows; row++) sum += centred[row * columns + column]!;
      for (let row = 0; row < rows; row++) centred[row * columns + column]! -= sum / rows;
    }
  }
  return centred;
}

/** Singular values of the matrix whose columns are these vectors; the vectors are overwritten. */
export function singularValues(vectors: readonly Float64Array[]): Float64Array {
  const dot = (a: Float64Array, b: Float64Array) => {
    let sum = 0;
    for (let k = 0; k < a.length; k++) sum += a[k]! * b[k]!;
    return sum;
  };
  const sorted = [...vectors].sort((a, b) => dot(b, b) - dot(a, a));
  const negligible = 1e-14 ** 2 * vectors.length * (sorted[0] ? dot(sorted[0], sorted[0]) : 0);
  for (let sweep = 0, rotated = true; rotated; sweep++) {
    if (sweep > 60) throw new Error('the reference SVD did not converge');
    rotated = false;
    for (let p = 0; p < sorted.length; p++) {
      for (let q = p + 1; q < sorted.length; q++) {
        const left = sorted[p]!;
        const right = sorted[q]!;
        const [a, b, g] = [dot(left, left), dot(right, right), dot(left, right)];
        if (a <= negligible || b <= negligible || Math.abs(g) <= 1e-11 * Math.sqrt(a * b)) continue;
        rotated = true;
        const zeta = (b - a) / (2 * g);
        const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const cosine = 1 / Math.hypot(1, tangent);
        const sine = cosine * tangent;
        for (let k = 0; k < left.length; k++) {
          const x = left[k]!;
          left[k] = cosine * x - sine * right[k]!;
          right[k] = sine * x + cosine * right[k]!;
        }
      }
    }
  }
  return Float64Array.from(sorted, (vector) => Math.sqrt(dot(vector, vector)))
    .sort()
    .reverse();
}
