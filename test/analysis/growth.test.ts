import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { describe, expect, test } from 'vitest';
import { growthFigure } from '../../src/analysis/figure-growth.ts';
import { fitPowerLaw, growthOf } from '../../src/analysis/growth.ts';

describe('a power law', () => {
  test.each([
    [1, 3],
    [2.5, 1e-6],
    [-0.5, 1e9],
    [0, 7],
  ])('with exponent %f is found exactly', (exponent, factor) => {
    const sizes = [8, 16, 24, 64, 100];
    const fit = fitPowerLaw(
      sizes,
      sizes.map((size) => factor * size ** exponent),
    );
    expect(fit.exponent).toBeCloseTo(exponent, 10);
    expect(fit.factor / factor).toBeCloseTo(1, 9);
    expect(fit.residual).toBeCloseTo(0, 10);
  });

  test('is fitted to the upper half, and says to which sizes: what does not grow does not disturb it', () => {
    const sizes = [1, 2, 4, 8, 16, 32, 64, 128];
    const fit = fitPowerLaw(
      sizes,
      sizes.map((size) => size ** 2 + (size < 16 ? 1000 : 0)),
    );
    expect(fit).toMatchObject({ from: 16, to: 128, points: 4 });
    expect(fit.exponent).toBeCloseTo(2, 10);
  });

  test.each([
    [[2, 4], 2],
    [[2, 4, 8], 3],
    [[2, 4, 8, 16], 3],
    [[2, 4, 8, 16, 32, 64, 128], 4],
  ])('of sizes %j takes the upper %i', (sizes, points) => {
    expect(fitPowerLaw(sizes, sizes).points).toBe(points);
  });

  test('tells how far the points lie from it', () => {
    const [sizes, values] = [
      [1, Math.E, Math.E ** 2],
      [Math.E ** 0.1, Math.E ** 0.8, Math.E ** 2.1],
    ];
    // In logarithms 0.1, 0.8, 2.1 against 0, 1, 2: the line 1·x is off by 0.1, −0.2, 0.1.
    expect(fitPowerLaw(sizes, values).residual).toBeCloseTo(Math.sqrt(0.02), 10);
  });
});

describe('the figure', () => {
  const points = [2, 4, 8, 16].map((size) => ({
    size,
    seconds: size / 100,
    cpu_seconds: size ** 2 / 100,
    operations: 10 * size ** 3,
  }));
  const axis = (name: string) => ({ axis: name, job: 'forward: 2 layers', limit: 3 });

  test('has a panel an axis, with measured and theoretical slopes in its title, and compiles without a word', () => {
    const growths = [
      growthOf(axis('tokens'), points, 'cpu_seconds'),
      growthOf(axis('size'), points, 'seconds'),
    ];
    expect(growths.map(({ time, theory }) => [time.exponent, theory.exponent])).toEqual([
      [expect.closeTo(2, 9), expect.closeTo(3, 9)],
      [expect.closeTo(1, 9), expect.closeTo(3, 9)],
    ]);
    const { name, specification } = growthFigure(growths, ['an adapter, a day']);
    expect(name).toBe('growth');
    const warnings: string[] = [];
    const logger = {
      level: () => logger,
      error: (...said: readonly unknown[]) => (warnings.push(said.join(' ')), logger),
      warn: (...said: readonly unknown[]) => (warnings.push(said.join(' ')), logger),
      info: () => logger,
      debug: () => logger,
    };
    const text = JSON.stringify(compile(specification as TopLevelSpec, { logger: logger as never }).spec);
    expect(warnings).toEqual([]);
    expect(text).toContain('tokens: 2 fitted, 3 in theory');
    expect(text).toContain('size: 1 fitted, 3 in theory');
    expect(text).toContain('CPU seconds');
    expect(text).not.toMatch(/NaN|Infinity/);
  });
});
