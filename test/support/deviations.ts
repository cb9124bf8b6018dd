/** Of what is too far off, so many are told. */
const TOLD = 3;

/**
 * Collects which of many numbers lie too far from what they should be. An `expect` for each of them would take most of a
 * test; one says the same of all: `expect(deviations.told).toEqual([])`.
 */
export class Deviations {
  /** The first of those that are too far off. */
  readonly told: string[] = [];

  /** @param at says which number it is; a NaN is too far from everything */
  check(actual: number, expected: number, allowed: number, ...at: readonly (string | number)[]): void {
    if (Math.abs(actual - expected) <= allowed || this.told.length === TOLD) return;
    this.told.push(`${at.join(' ')}: ${actual} where ${expected} was expected, ± ${allowed}`);
  }
}
