type Numbers = ArrayLike<number>;

/** ‖actual − expected‖ / ‖expected‖ in the Frobenius norm; NaN if either holds one. */
export function relativeDistance(actual: Numbers, expected: Numbers): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
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
