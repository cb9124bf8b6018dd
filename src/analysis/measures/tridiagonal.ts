/** Eigenvalues of a symmetric tridiagonal matrix, descending, and rows of its eigenvectors. */
export interface TridiagonalEigen {
  readonly values: Float64Array;
  /** For each row that was asked for, [size]: that element of every eigenvector, in the order of the values. */
  readonly rows: readonly Float64Array[];
}

const MAX_ITERATIONS = 60;

/**
 * The implicit QL algorithm (Wilkinson and Reinsch, Handbook for Automatic Computation II, tql2).
 * @param diagonal [size]
 * @param beside [size − 1] the elements beside the diagonal
 * @param rows which elements of the eigenvectors are wanted
 */
export function tridiagonalEigen(
  diagonal: ArrayLike<number>,
  beside: ArrayLike<number>,
  rows: readonly number[],
): TridiagonalEigen {
  const size = diagonal.length;
  const d = Float64Array.from(diagonal);
  const e = new Float64Array(size);
  for (let i = 0; i < size - 1; i++) e[i] = beside[i]!;
  const z = rows.map((row) => {
    const unit = new Float64Array(size);
    unit[row] = 1;
    return unit;
  });
  for (let l = 0; l < size; l++) {
    for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
      const m = blockEnd(d, e, l);
      if (m === l) break;
      rotateBlock(d, e, z, l, m);
    }
  }
  const order = Array.from(d.keys()).sort((a, b) => d[b]! - d[a]!);
  return {
    values: Float64Array.from(order, (index) => d[index]!),
    rows: z.map((row) => Float64Array.from(order, (index) => row[index]!)),
  };
}

/** The last index of the block that begins at l and has no negligible element beside its diagonal. */
function blockEnd(d: Float64Array, e: Float64Array, l: number): number {
  let m = l;
  while (m < d.length - 1) {
    const size = Math.abs(d[m]!) + Math.abs(d[m + 1]!);
    if (Math.abs(e[m]!) <= Number.EPSILON * size) break;
    m += 1;
  }
  return m;
}

/** One implicit QL step on the block l … m. */
function rotateBlock(d: Float64Array, e: Float64Array, z: Float64Array[], l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g < 0 ? -r : r));
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    for (const row of z) {
      const next = row[i + 1]!;
      row[i + 1] = s * row[i]! + c * next;
      row[i] = c * row[i]! - s * next;
    }
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
