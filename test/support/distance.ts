type Numbers = ArrayLike<number>;

/** ‖actual − expected‖ / ‖expected‖ in the Frobenius norm; NaN if either holds one. */
export function relativeDistance(actual: Numbers, expected: Numbers): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    // A product: a power of 2 is ten times as expensive.
    const apart = actual[i]! - expected[i]!;
    difference += apart * apart;
    norm += expected[i]! * expected[i]!;
  }
  return Math.sqrt(difference / norm);
}

/** The largest |actual − expected|; NaN if either holds one. */
export function largestDifference(actual: Numbers, expected: Numbers): number {
  let largest = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
