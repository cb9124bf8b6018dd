import { expect } from 'vitest';
import type { GrowthBench } from '../../src/node/bench/growth.ts';

/** Holds growths that theory calls linear: at least five points, and an exponent near 1 fitted to those that count. */
export function expectLinear({ growths }: GrowthBench): void {
  for (const { points, time, theory } of growths) {
    expect(points.length).toBeGreaterThanOrEqual(5);
    expect(time).toMatchObject({ from: theory.from, to: points.at(-1)!.size, points: theory.points });
    // The vocabulary does not grow with layers.
    expect(theory.exponent).toBeGreaterThan(0.8);
    expect(theory.exponent).toBeLessThan(1.001);
  }
}
