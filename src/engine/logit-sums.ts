/** Sums of a row that fold-log-softmax.wgsl keeps. */
export const RUNNING = 3;
/** Sums that compare-logits.wgsl keeps of a row. */
export const COMPARED = 9;
/** Above this, exp(−d) − 1 has nothing over sums of exponentials. */
const SMALL_CHANGE = 4;

/** How far the distributions of some positions are from the original ones of the same positions. */
export interface LogitsChange {
  /** Σ p ln(p / q) in nats, from the original distribution p to the changed one q (Kullback and Leibler 1951). */
  readonly divergence: Float64Array;
  /** The largest |ln p − ln q| of any token. */
  readonly largest: Float64Array;
}

/**
 * The sums that stand beside each other in a row, as one.
 * @param maxima [rows, 3]
 * @param sums [rows, 3], Σ exp(logit − maximum) each
 */
export function joinSums(
  maxima: Float32Array,
  sums: Float32Array,
): { readonly maxima: Float64Array; readonly sums: Float64Array } {
  const rows = sums.length / RUNNING;
  const joined = { maxima: new Float64Array(rows), sums: new Float64Array(rows) };
  for (let row = 0; row < rows; row++) {
    const [first, end] = [RUNNING * row, RUNNING * (row + 1)];
    const maximum = Math.max(...maxima.subarray(first, end));
    for (let at = first; at < end; at++) {
      // An empty sum is 0, and its maximum is the lowest number.
      if (sums[at] !== 0) joined.sums[row]! += sums[at]! * Math.exp(maxima[at]! - maximum);
    }
    joined.maxima[row] = maximum;
  }
  return joined;
}

/**
 * With ln p = a − lse(a), ln q = b − lse(b) and d = a − b − offset: Σ p (ln p − ln q) = Σ p d − shift and |ln p − ln q| = |d −
 * shift|, where shift = lse(a) − lse(b) − offset = −ln(1 + Σ p (exp(−d) − 1)).
 * @param sums [rows, 9] of compare-logits.wgsl, and others after them
 */
export function changeOf(sums: Float32Array, rows: number): LogitsChange {
  const divergence = new Float64Array(rows);
  const largest = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = sums.subarray(COMPARED * row, COMPARED * (row + 1));
    const [maxA = 0, sumA = 0, weighted = 0, lessOne = 0, maxB = 0, sumB = 0, maxD = 0, minD = 0] = own;
    const offset = own[COMPARED - 1]!;
    const isSmall = Math.max(maxD, -minD) < SMALL_CHANGE;
    const shift = isSmall ? -Math.log1p(lessOne / sumA) : maxA - maxB - offset + Math.log(sumA / sumB);
    divergence[row] = Math.max(0, weighted / sumA - shift); // rounding alone makes it negative
    largest[row] = Math.max(Math.abs(maxD - shift), Math.abs(minD - shift));
  }
  return { divergence, largest };
}
