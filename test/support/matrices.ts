/** A seeded source of matrices, row-major [rows, columns], for tests of the spectrum. */
export class MatrixSource {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in (0, 1): a 32-bit xorshift. */
  uniform(): number {
    let state = this.#state || 1;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return (this.#state - 0.5) / 2 ** 32;
  }

  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  random(rows: number, columns: number): Float32Array {
    const values = new Float32Array(rows * columns);
    for (let at = 0; at < values.length; at++) values[at] = this.normal();
    return values;
  }

  /** Singular values that fall geometrically from 1 to `smallest`, before centring. */
  graded(rows: number, columns: number, smallest: number): Float32Array {
    const count = Math.min(rows, columns);
    const left = this.#orthonormal(count, rows);
    const right = this.#orthonormal(count, columns);
    const singular = Float64Array.from({ length: count }, (_, k) => smallest ** (k / (count - 1)));
    const result = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < count; k++) sum += left[k]![row]! * singular[k]! * right[k]![column]!;
        result[row * columns + column] = sum;
      }
    }
    return result;
  }

  /** Small whole numbers of exactly this rank (with all but certainty). */
  ofRank(rows: number, columns: number, rank: number): Float32Array {
    const whole = (length: number) => Float64Array.from({ length }, () => Math.round(4 * this.normal()));
    const left = whole(rows * rank);
    const right = whole(rank * columns);
    return Float32Array.from({ length: rows * columns }, (_, index) => {
      const row = Math.floor(index / columns);
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += left[row * rank + k]! * right[k * columns + (index % columns)]!;
      return sum;
    });
  }

  /** One row or column `factor` times the rest, with a mean three times that. */
  massive(rows: number, columns: number, factor: number, which: 'row' | 'column'): Float32Array {
    return this.random(rows, columns).map((value, index) => {
      const isMassive = which === 'row' ? Math.floor(index / columns) === 3 : index % columns === 5;
      return isMassive ? factor * (value + 3) : value;
    });
  }

  #orthonormal(count: number, length: number): Float64Array[] {
    const vectors: Float64Array[] = [];
    while (vectors.length < count) {
      const vector = Float64Array.from({ length }, () => this.normal());
      for (let pass = 0; pass < 2; pass++) {
        for (const other of vectors) {
          const overlap = vector.reduce((sum, value, k) => sum + value * other[k]!, 0);
          for (let k = 0; k < length; k++) vector[k]! -= overlap * other[k]!;
        }
      }
      const norm = Math.hypot(...vector);
      vectors.push(vector.map((value) => value / norm));
    }
    return vectors;
  }
}
