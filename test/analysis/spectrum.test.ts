import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { casesHere, openTestGpu } from '#platform';
import { computeSpectra } from '../../src/analysis/spectrum.ts';
import type { Spectrum } from '../../src/analysis/spectrum.ts';
import type { MatrixView } from '../../src/analysis/spectrum/matrix-view.ts';
import { DeviceError, InputError, NumericalError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Deviations } from '../support/deviations.ts';
import { goldenCases, readGolden } from '../support/golden.ts';
import type { GoldenCase } from '../support/golden.ts';
import { centredSingularValues } from '../support/jacobi-svd.ts';
import { MatrixSource } from '../support/matrices.ts';

let gpu: Gpu;
/** The kernels that need no subgroups, as a hardware GPU has them. */
let portable: Gpu;
/** Kernels whose lanes share loads by eight; each four of them work apart, so that subgroups may have four. */
let eight: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
  portable = await openTestGpu({ tuning: { lanes: 0, jacobiThreads: 64 } });
  eight = await openTestGpu({ tuning: { lanes: gpu.tuning.lanes === 0 ? 0 : 8 } });
});
afterAll(() => {
  gpu.dispose();
  portable.dispose();
  eight.dispose();
});

/** Slices of [rows, columns] that lie one after another from element `offset` on. */
async function spectraOf(
  values: Float32Array,
  rows: number,
  columns: number,
  {
    offset = 0,
    on = gpu,
    ...options
  }: Parameters<typeof computeSpectra>[2] & { offset?: number; on?: Gpu } = {},
): Promise<Spectrum[]> {
  const padded = new Float32Array(offset + values.length).fill(NaN);
  padded.set(values, offset);
  using tensor = on.upload('matrices', [padded.length], padded);
  const views = Array.from({ length: values.length / (rows * columns) }, (_, slice): MatrixView => ({
    name: `slice ${slice}`,
    buffer: tensor.buffer,
    offset: offset + slice * rows * columns,
    rows,
    columns,
  }));
  return await computeSpectra(on, views, options);
}

const rankOf = (values: Float32Array | Float64Array, rows: number, columns: number) =>
  values.filter((value) => value > values[0]! * Math.max(rows, columns) * 2 ** -23).length;

/** The gates of the project: 1e-5 relative above the rank tolerance, 2e-7 of the largest below it, rank equal. */
function expectSpectrum(actual: Spectrum, reference: Float64Array, rows: number, columns: number): void {
  const largest = reference[0]!;
  expect(actual.singularValues).toHaveLength(reference.length);
  const deviations = new Deviations();
  reference.forEach((value, k) => {
    const allowed = value > largest * Math.max(rows, columns) * 2 ** -23 ? 1e-5 * value : 2e-7 * largest;
    deviations.check(actual.singularValues[k]!, value, allowed, 'value', k);
  });
  expect(rankOf(actual.singularValues, rows, columns)).toBe(rankOf(reference, rows, columns));
  const total = reference.reduce((sum, value) => sum + value * value, 0);
  let running = 0;
  reference.forEach((value, k) => {
    running += value * value;
    const percent = total > 0 ? (100 * running) / total : 0;
    deviations.check(actual.cumulativePercent[k]!, percent, 5e-5, 'percent', k);
  });
  expect(deviations.told).toEqual([]);
}

const source = new MatrixSource(28);
const scaled = (factor: number) => (rows: number, columns: number) =>
  source.random(rows, columns).map((value) => factor * value);
const kinds: [string, number, number, (rows: number, columns: number) => Float32Array][] = [
  ['random', 33, 48, scaled(1)],
  ['random', 100, 37, scaled(1)],
  ['random', 200, 130, scaled(1)],
  ['random', 64, 64, scaled(1)],
  ['graded from 1 to 1e-8', 129, 64, (rows, columns) => source.graded(rows, columns, 1e-8)],
  ['graded from 1 to 1e-5', 64, 129, (rows, columns) => source.graded(rows, columns, 1e-5)],
  ['massive row', 100, 80, (rows, columns) => source.massive(rows, columns, 30000, 'row')],
  ['massive row', 160, 170, (rows, columns) => source.massive(rows, columns, 30000, 'row')],
  ['massive row', 50, 90, (rows, columns) => source.massive(rows, columns, 1000, 'row')],
  ['massive column', 100, 80, (rows, columns) => source.massive(rows, columns, 30000, 'column')],
  ['massive column', 80, 100, (rows, columns) => source.massive(rows, columns, 1000, 'column')],
  ['low rank', 90, 70, (rows, columns) => source.ofRank(rows, columns, 9)],
  ['every row twice', 60, 50, (rows, columns) => twice(source.random(rows / 2, columns))],
  ['one row', 1, 20, scaled(1)],
  ['two rows', 2, 20, scaled(1)],
  ['one column', 20, 1, scaled(1)],
  ['huge', 40, 30, scaled(1e30)],
  ['tiny', 40, 30, scaled(1e-30)],
  ['subnormal', 40, 30, scaled(1e-38)],
  ['zeros', 20, 30, scaled(0)],
  ['equal rows', 20, 30, (rows, columns) => repeated(source.random(1, columns), rows)],
  ['large mean', 60, 50, (rows, columns) => source.random(rows, columns).map((value) => 1e6 + value)],
  [
    'a constant column',
    60,
    50,
    (rows, columns) =>
      source.random(rows, columns).map((value, index) => (index % columns === 7 ? 1e9 : value)),
  ],
  [
    'a constant column 1e35 times the rest',
    60,
    50,
    (rows, columns) =>
      source.random(rows, columns).map((value, index) => (index % columns === 7 ? 1e30 : 1e-5 * value)),
  ],
];

function repeated(row: Float32Array, times: number): Float32Array {
  return Float32Array.from({ length: times * row.length }, (_, index) => row[index % row.length]!);
}

function twice(values: Float32Array): Float32Array {
  return Float32Array.from({ length: 2 * values.length }, (_, index) => values[index % values.length]!);
}

test.each(
  casesHere(
    kinds,
    kinds.filter(([kind, rows]) => /graded|massive|random/.test(kind) && rows < 100),
  ),
)('%s, %i x %i, against a float64 SVD', async (kind, rows, columns, make) => {
  const values = make(rows, columns);
  const before = gpu.allocatedBytes;
  const reference = centredSingularValues(values, rows, columns);
  const [spectrum] = await spectraOf(values, rows, columns, { offset: 77 });
  expectSpectrum(spectrum!, reference, rows, columns);
  expect(gpu.allocatedBytes).toBe(before);
  // The largest show nothing about the portable kernels that others do not.
  if (rows * columns > 20_000) return;
  const [other] = await spectraOf(values, rows, columns, { on: portable });
  expectSpectrum(other!, reference, rows, columns);
  if (!/graded|massive/.test(kind) || rows * columns > 9000) return;
  const [byEight] = await spectraOf(values, rows, columns, { on: eight });
  expectSpectrum(byEight!, reference, rows, columns);
});

test('the same bits from run to run, alone and in a batch', async () => {
  const values = source.random(3 * 70, 90);
  const batch = await spectraOf(values, 70, 90);
  expect(await spectraOf(values, 70, 90)).toEqual(batch);
  expect(await spectraOf(values.slice(70 * 90, 2 * 70 * 90), 70, 90)).toEqual([batch[1]]);
});

describe.each(casesHere<GoldenCase>(goldenCases, ['gpt2-prefix-f32', 'neox-f16']))('golden %s', (name) => {
  test('singular values, rank and effective dimensions', async () => {
    const { thresholds, sequences } = await readGolden(name);
    for (const { ids, hiddenStates, singularValues, rank, effective } of sequences) {
      const rows = ids.length;
      const columns = hiddenStates.length / rank.length / rows;
      const count = Math.min(rows, columns);
      const spectra = await spectraOf(hiddenStates, rows, columns);
      spectra.forEach((spectrum, layer) => {
        const reference = singularValues.subarray(layer * count, (layer + 1) * count);
        expectSpectrum(spectrum, reference, rows, columns);
        expect(rankOf(spectrum.singularValues, rows, columns)).toBe(rank[layer]);
        const dimensions = thresholds.map(
          (threshold) => spectrum.cumulativePercent.findIndex((percent) => percent > threshold) + 1,
        );
        expect(dimensions).toEqual(effective[layer]);
      });
    }
  });
});

test('a batch in several groups gives what one group gives', async () => {
  const values = source.random(5 * 24, 40);
  const whole = await spectraOf(values, 24, 40);
  const steps: [number, number][] = [];
  const grouped = await spectraOf(values, 24, 40, {
    scratchBytes: 1,
    onProgress: (done, total) => steps.push([done, total]),
  });
  expect(grouped).toEqual(whole);
  expect(steps.at(-1)![0]).toBe(steps.at(-1)![1]);
  for (let k = 1; k < steps.length; k++) expect(steps[k]![0]).toBeGreaterThanOrEqual(steps[k - 1]![0]);
});

test.each([NaN, Infinity, -Infinity])('%d in a matrix is an error that names it', async (bad) => {
  const values = source.random(3 * 10, 12);
  values[2 * 120 + 17] = bad;
  const before = gpu.allocatedBytes;
  const promise = spectraOf(values, 10, 12);
  await expect(promise).rejects.toThrow(NumericalError);
  await expect(promise).rejects.toThrow(/slice 2 holds NaN or infinity/);
  expect(gpu.allocatedBytes).toBe(before);
});

test('a matrix that does not converge in the allowed sweeps is an error that names it', async () => {
  await expect(spectraOf(source.random(40, 50), 40, 50, { maxSweeps: 2 })).rejects.toThrow(
    /slice 0 did not converge in 2 Jacobi sweeps/,
  );
});

test('matrices of different shapes are refused', async () => {
  using tensor = gpu.upload('matrices', [24], new Float32Array(24));
  const view = { name: 'one', buffer: tensor.buffer, offset: 0, rows: 4, columns: 6 };
  await expect(computeSpectra(gpu, [view, { ...view, name: 'two', rows: 6, columns: 4 }])).rejects.toThrow(
    InputError,
  );
});

test.each([
  [2 ** 18 + 1, 1, /one has 262145 rows; at most 262144/],
  [1, 16 * 65_535 + 1, /one has 1048561 columns; at most 1048560/],
])('%i x %i is more than can be centred, and refused', async (rows, columns, message) => {
  using tensor = gpu.upload('matrix', [rows * columns], new Float32Array(rows * columns));
  const promise = computeSpectra(gpu, [{ name: 'one', buffer: tensor.buffer, offset: 0, rows, columns }]);
  await expect(promise).rejects.toThrow(InputError);
  await expect(promise).rejects.toThrow(message);
});

test('a matrix over the binding limit is an error that names the size and the limit', async () => {
  using small = await openTestGpu({ bindingLimit: 4096 });
  using tensor = small.upload('matrix', [16, 40], source.random(16, 40));
  const view = { name: 'one', buffer: tensor.buffer, offset: 0, rows: 16, columns: 40 };
  const promise = computeSpectra(small, [view]);
  await expect(promise).rejects.toThrow(DeviceError);
  await expect(promise).rejects.toThrow(/^the spectrum of one \(16 x 40\) .* 4096/);
});

test('a refused allocation leaves nothing allocated', async () => {
  using small = await openTestGpu({ memoryLimit: 20_000 });
  using tensor = small.upload('matrix', [16, 40], source.random(16, 40));
  const before = small.allocatedBytes;
  const view = { name: 'one', buffer: tensor.buffer, offset: 0, rows: 16, columns: 40 };
  await expect(computeSpectra(small, [view])).rejects.toThrow(DeviceError);
  expect(small.allocatedBytes).toBe(before);
});

test('an aborted signal stops the work and frees its buffers', async () => {
  const before = gpu.allocatedBytes;
  const controller = new AbortController();
  const onProgress = (done: number) => {
    if (done === 4) controller.abort(new Error('stopped'));
  };
  await expect(
    spectraOf(source.random(100, 120), 100, 120, { signal: controller.signal, onProgress }),
  ).rejects.toThrow('stopped');
  expect(gpu.allocatedBytes).toBe(before);
});
