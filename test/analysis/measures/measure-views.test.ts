import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { UnreadMatrix } from '../../../src/analysis/measure-matrices.ts';
import { measureViews } from '../../../src/analysis/measures/measure-views.ts';
import type { MeasuredView } from '../../../src/analysis/measures/measure-views.ts';
import { allMeasures } from '../../../src/analysis/measures/table.ts';
import { viewNames } from '../../../src/analysis/views.ts';
import type { Numbers } from '../../../src/analysis/views.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { readFixtureTensors } from '../../support/fixture-files.ts';
import {
  matrixDifferences,
  readExpectedMeasures,
  readExpectedSequences,
  readMeasuredMatrix,
} from '../../support/golden-measures.ts';
import { MatrixSource } from '../../support/matrices.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const { thresholds, matrices } = await readExpectedMeasures();

describe.each(Object.entries(matrices))('golden %s', (name, expected) => {
  test('every measure of every view', async () => {
    const { values, ...shape } = await readMeasuredMatrix(`${name}.npy`);
    const matrix: UnreadMatrix = { name, ...shape, read: () => Promise.resolve(values) };
    const before = gpu.allocatedBytes;
    const request = {
      views: viewNames,
      measures: allMeasures,
      listedDimensions: expected.listed_dimensions,
    };
    const [measured] = await measureViews(gpu, [matrix], request, { threshold: 95 });
    const { viewed } = measured!;
    expect(viewed.thresholds).toEqual(thresholds);
    expect(Object.keys(viewed.views)).toEqual(Object.keys(expected.views));
    expect(matrixDifferences(viewed, expected)).toEqual([]);
    expect(gpu.allocatedBytes).toBe(before);
  });
});

test('layers of alice-pythia as a stack', async () => {
  const tensors = await readFixtureTensors('test/golden/alice-pythia/expected.safetensors');
  const { sequences } = await readExpectedSequences();
  const { shape, values } = tensors.get('real.hidden_states')!;
  const [, rows, columns] = shape as [number, number, number];
  const layers = [1, 6];
  const stack = layers.map((layer): UnreadMatrix => ({
    name: `layer ${layer}`,
    rows,
    columns,
    read: () =>
      Promise.resolve(
        (values as Float32Array<ArrayBuffer>).slice(layer * rows * columns, (layer + 1) * rows * columns),
      ),
  }));
  const request = { views: ['all'] as const, measures: allMeasures, listedDimensions: [] };
  const answers = await measureViews(gpu, stack, request, { threshold: 95 });
  layers.forEach((layer, index) => {
    const { outliers, tokens, thresholds, views } = sequences.real[layer]!;
    const expected = { outliers, tokens, thresholds, views: { all: views.all! } };
    expect(matrixDifferences(answers[index]!.viewed, expected), `layer ${layer}`).toEqual([]);
  });
});

const source = new MatrixSource(17);
const all = { views: viewNames, measures: allMeasures, listedDimensions: [] };
const inMemory = (name: string, rows: number, columns: number, values: Numbers): UnreadMatrix => ({
  name,
  rows,
  columns,
  read: () => Promise.resolve(values.slice()),
});

test('matrices of float64 in any unit give what they give in another', async () => {
  const base = source.random(30, 12);
  const scaled = (exponent: number) => Float64Array.from(base, (value) => value * 2 ** exponent);
  const matrices = [0, 400, -400].map((exponent) => inMemory(`2^${exponent}`, 30, 12, scaled(exponent)));
  const [own, ...others] = await measureViews(gpu, matrices, all, { threshold: 95 });
  for (const other of others) {
    for (const name of ['all', 'without_first_token', 'unit_rows'] as const) {
      const [expected, actual] = [own!, other].map(({ viewed }) => viewed.views[name] as MeasuredView);
      for (const measure of ['rankme', 'isoscore', 'entropy_rank'] as const)
        expect(actual![measure], measure).toBeCloseTo(expected![measure]!, 5);
      expect(actual!.component_1!.gap).toBeCloseTo(expected!.component_1!.gap, 6);
      expect(actual!.prompt_entropy!.centred!.renyi_2).toBeCloseTo(
        expected!.prompt_entropy!.centred!.renyi_2,
        6,
      );
      expect(actual!.mean_over_spread).toBeCloseTo(expected!.mean_over_spread!, 6);
      expect(actual!.neighbours!.mle!.dimension).toBeCloseTo(expected!.neighbours!.mle!.dimension!, 5);
    }
  }
});

test('nearly equal rows of float64 keep their distances', async () => {
  const values = Float64Array.from(source.random(20, 6));
  for (let column = 0; column < 6; column++) values[6 + column] = values[column]! * (1 + 1e-12);
  const request = { ...all, views: ['all' as const], measures: ['neighbours' as const] };
  const [measured] = await measureViews(gpu, [inMemory('states', 20, 6, values)], request, { threshold: 95 });
  const { neighbours } = measured!.viewed.views.all as MeasuredView;
  expect(neighbours).toMatchObject({ duplicate_rows: 0, points: 20 });
  const logs = Array.from({ length: 20 }, (_, row) => {
    const distances = Array.from({ length: 20 }, (__, other) =>
      Math.hypot(...Array.from({ length: 6 }, (___, k) => values[6 * row + k]! - values[6 * other + k]!)),
    ).sort((a, b) => a - b);
    return Math.log(distances[2]! / distances[1]!);
  });
  const ml = 19 / logs.reduce((sum, log) => sum + log, 0);
  expect(neighbours!.twonn!.ml! / ml).toBeCloseTo(1, 5);
});

test('one token has an empty view and no measures, and says why', async () => {
  const notices: string[] = [];
  const matrix = inMemory('one token', 1, 5, Float32Array.from(source.random(1, 5)));
  const [measured] = await measureViews(gpu, [matrix], all, {
    threshold: 95,
    onNotice: (notice) => notices.push(notice),
  });
  const { views } = measured!.viewed;
  expect(views.without_first_token).toEqual({ rows: 0, columns: 5 });
  expect(views.without_outlier_dimensions).toEqual({ same_as: 'all' });
  expect(views.all).toMatchObject({
    singular_values: [0],
    rank: 0,
    rankme: null,
    component_1: null,
    mean_cosine: { uncentred: null, centred: null },
    prompt_entropy: { uncentred: { von_neumann: 0, renyi_2: 0 }, centred: null, maximum: 0 },
    neighbours: { duplicate_rows: 0, points: 1, twonn: null, gride: null, mle: null },
  });
  expect(notices).toEqual([
    'one token and 2 others: have fewer than 3 different rows; twonn, gride and mle need at least 3',
  ]);
});

test('a view without columns has no measures; one that equals all is measured where all is not asked for', async () => {
  const matrix = inMemory('states', 12, 2, Float32Array.from(source.random(12, 2)));
  const request = {
    views: ['without_outlier_dimensions', 'without_dimensions'] as const,
    measures: ['rank', 'first_token_share'] as const,
    listedDimensions: [0, 1],
  };
  const [measured] = await measureViews(gpu, [matrix], request, { threshold: 42 });
  expect(measured!.viewed.thresholds).toEqual([42, 50, 90, 95, 99]);
  expect(measured!.viewed.views).toEqual({
    without_outlier_dimensions: {
      rows: 12,
      columns: 2,
      rank: 2,
      first_token_share: expect.any(Number) as number,
    },
    without_dimensions: { rows: 12, columns: 0 },
  });
});

test('every matrix is read once, also where its chunk has others, and NaN is named', async () => {
  let reads = 0;
  const matrices = Array.from({ length: 3 }, (_, index): UnreadMatrix => {
    const { read, ...shape } = inMemory(`slice ${index}`, 8, 4, Float32Array.from(source.random(8, 4)));
    return { ...shape, read: () => ((reads += 1), read()) };
  });
  const answers = await measureViews(gpu, matrices, { ...all, measures: ['rank'] }, { threshold: 95 });
  expect([answers.length, reads]).toEqual([3, 3]);
  const bad = inMemory('bad', 8, 4, new Float32Array(32).fill(NaN));
  await expect(measureViews(gpu, [matrices[0]!, bad], all, { threshold: 95 })).rejects.toThrow(
    /^bad: holds NaN at row 0/,
  );
});
