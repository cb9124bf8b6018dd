import { afterAll, describe, expect, test } from 'vitest';
import { casesHere, openOwnGpu } from '#platform';
import type { SubgroupMatrices } from '../../../src/engine/gpu/subgroup-matrices.ts';
import { productRun } from '../../../src/engine/product-variants.ts';
import { relativeDistance } from '../../support/distance.ts';
import { EMULATED_SHAPE, emulatedMatricesKernel } from '../../support/emulated-matrices.ts';
import { goldenFiles, readGolden } from '../../support/golden.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { loadAndRecord } from '../../support/model-runs.ts';
import { randomWeights } from '../../support/packed.ts';
import type { PackedWeights, WeightFormat } from '../../support/packed.ts';
import * as reference from '../../support/reference.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';

const notices: string[] = [];
const gpu = await openOwnGpu({ subgroupMatrices: true, onNotice: (line) => notices.push(line) });
const { matrices: own, traits } = gpu.tuning;
afterAll(() => {
  gpu.dispose();
});

/**
 * The device's own matrices; and, computed by another text, small ones that are not square, of F16 and F32, with terms
 * that fill a tile or a part of it. Their threads are as many as the device's subgroups need, so that some stay idle where those are smaller.
 */
const threads = 4 * (traits.subgroups?.max ?? 0);
const emulated = [
  { component: 'f16', ...EMULATED_SHAPE, terms: 8, threads },
  { component: 'f32', ...EMULATED_SHAPE, terms: 16, threads },
] as const satisfies readonly SubgroupMatrices[];
const kinds = casesHere(
  [
    ...(own ? [{ kind: 'own', matrices: own }] : []),
    ...(threads > 0 ? emulated.map((matrices) => ({ kind: 'emulated', matrices })) : []),
  ],
  own ? [{ kind: 'own', matrices: own }] : [],
);

interface Operands {
  readonly shape: readonly [rows: number, inner: number, columns: number];
  readonly format?: WeightFormat;
  readonly transposed?: boolean;
  /** Factors of rows of the input and columns of the weight. */
  readonly rowFactor?: (row: number) => number;
  readonly columnFactor?: (column: number) => number;
  readonly bias?: boolean;
}

/** @returns the largest error in units of Σ|terms| · 2⁻²⁴ */
async function worstError(matrices: SubgroupMatrices, kind: string, operands: Operands): Promise<number> {
  const { shape, format = 'F32', transposed = false, bias: hasBias = false } = operands;
  const [rows, inner, columns] = shape;
  const { rowFactor = () => 1, columnFactor = () => 1 } = operands;
  const source = new MatrixSource(rows + inner + columns);
  const dense = source.random(rows, inner).map((value, at) => value * rowFactor(Math.floor(at / inner)));
  const columnOf = (at: number): number => (transposed ? Math.floor(at / inner) : at % columns);
  const weights: PackedWeights = randomWeights(source, inner * columns, format);
  if (format === 'F32') {
    weights.packed.forEach((value, at) => {
      weights.packed[at] = value * columnFactor(columnOf(at));
      weights.values[at] = weights.packed[at]!;
    });
  }
  const [firstInput, firstOutput, firstColumn, firstWeight] = [3, 1, 2, 5];
  const [inputStride, outputStride] = [inner + 7, columns + 6];
  const input = poison(rows * inputStride);
  for (let row = 0; row < rows; row++)
    input.set(dense.subarray(row * inner, (row + 1) * inner), row * inputStride + firstInput);
  const Packed = weights.packed.constructor as new (length: number) => Float32Array | Uint16Array;
  const weight = new Packed(firstWeight + inner * columns).fill(format === 'F32' ? NaN : 0x7fff);
  weight.set(weights.packed, firstWeight);
  const bias = source.random(1, firstColumn + columns);
  const previous = poison(rows * outputStride);
  const placeOf = (row: number, column: number): number =>
    firstOutput + row * outputStride + firstColumn + column;
  const before = source.random(rows, columns);
  if (hasBias)
    before.forEach((value, at) => (previous[placeOf(Math.floor(at / columns), at % columns)] = value));
  const { kernel, ...run } = productRun(
    'matrices',
    {
      rows,
      columns,
      inner,
      inputStride,
      firstInput,
      outputStride,
      firstOutput,
      firstColumn,
      firstWeight,
      format: ['F32', 'F16', 'BF16'].indexOf(format),
      isTransposed: transposed,
      hasBias,
      accumulate: hasBias,
      activation: 0,
    },
    { largeTilesFrom: Infinity, matrices },
  );
  const { output } = await runKernel(gpu, kind === 'emulated' ? emulatedMatricesKernel(matrices) : kernel, {
    buffers: { input, weight, bias, output: previous },
    ...run,
  });
  const actual = new Float32Array(output);
  const { product, magnitude } = reference.matrixProduct(dense, weights.values, {
    rows,
    inner,
    columns,
    transposed,
  });
  let worst = 0;
  product.forEach((sum, at) => {
    const added = hasBias ? [bias[firstColumn + (at % columns)]!, before[at]!] : [];
    const expected = added.reduce((total, value) => total + value, sum);
    const scale = added.reduce((total, value) => total + Math.abs(value), magnitude[at]!);
    const error = Math.abs(actual[placeOf(Math.floor(at / columns), at % columns)]! - expected);
    if (!(error <= worst * scale * 2 ** -24)) worst = error / (scale * 2 ** -24);
  });
  // Nothing outside the product's own columns was touched.
  expect(actual.filter((value) => !Number.isNaN(value))).toHaveLength(rows * columns);
  return worst;
}

/** Two of F32's last bits by each factor's split, one by what the splitting leaves out, one by rounding the result. */
const MAX_ERROR = 6;

describe.each(kinds)('$kind $matrices.component', ({ kind, matrices }) => {
  const ways = [
    ['F32', false, [1, 1, 1]],
    ['F32', true, [17, 33, 35]],
    ['F32', false, [9, 150, 19]],
    ['F16', true, [7, 29, 5]],
    ['BF16', false, [33, 16, 17]],
  ] as const;

  test.each(kind === 'own' ? ways : ways.slice(0, matrices.component === 'f16' ? 4 : 3))(
    '%s weights, transposed %s, %j',
    async (format, transposed, shape) => {
      const error = await worstError(matrices, kind, { shape, format, transposed });
      expect(error).toBeLessThanOrEqual(MAX_ERROR);
    },
  );

  test('bias and the sum before', async () => {
    expect(await worstError(matrices, kind, { shape: [5, 21, 13], bias: true })).toBeLessThanOrEqual(
      MAX_ERROR,
    );
  });

  // A massive activation is a row a thousand times as large as the others; more is asked of the splitting here.
  test('rows and columns of any size', async () => {
    const error = await worstError(matrices, kind, {
      shape: [19, 40, 21],
      rowFactor: (row) => [1, 1e3, 1e-20, 1e18, 1e-6][row % 5]!,
      columnFactor: (column) => [1, 1e15, 1e-12, 1e4][column % 4]!,
    });
    expect(error).toBeLessThanOrEqual(MAX_ERROR);
  });

  test('what is not finite stays so', async () => {
    const values = Float32Array.of(1, Infinity, 2, NaN, 3, 4);
    const shape = { rows: 3, columns: 1, inner: 2, inputStride: 2, outputStride: 1 };
    const places = { firstInput: 0, firstOutput: 0, firstColumn: 0, firstWeight: 0 };
    const rest = { format: 0, isTransposed: false, hasBias: false, accumulate: false, activation: 0 };
    const product = { ...shape, ...places, ...rest };
    const { kernel, ...run } = productRun('matrices', product, { largeTilesFrom: Infinity, matrices });
    const ones = Float32Array.of(1, 1);
    const { output } = await runKernel(gpu, kind === 'emulated' ? emulatedMatricesKernel(matrices) : kernel, {
      buffers: { input: values, weight: ones, bias: ones, output: poison(3) },
      ...run,
    });
    expect([...new Float32Array(output)].map(Number.isFinite)).toEqual([false, false, true]);
  });
});

test.each(own ? (['gpt2-f16', 'neox-f32-sequential'] as const) : [])('%s', async (name) => {
  const golden = await readGolden(name);
  const ids = golden.sequences.map((sequence) => sequence.ids);
  const run = await loadAndRecord(gpu, goldenFiles(name), ids);
  const size = run.residualFinal.length / ids.length;
  golden.sequences.forEach((sequence, index) => {
    for (const [layer, state] of run.hiddenStates.entries()) {
      const actual = state.subarray(index * size, (index + 1) * size);
      const expected = sequence.hiddenStates.subarray(layer * size, (layer + 1) * size);
      expect(relativeDistance(actual, expected), `state ${layer}`).toBeLessThanOrEqual(1e-6 * (layer + 4));
    }
  });
  expect(gpu.tuning.product).toBe('matrices');
});

test('who asks in vain is told so in one sentence, and gets the ordinary product', () => {
  if (own) {
    expect(gpu.tuning.product).toBe('matrices');
    return;
  }
  expect(gpu.tuning.product).not.toBe('matrices');
  expect(notices.filter((line) => line.includes('subgroup matrices'))).toEqual([
    `${gpu.adapter.description} offers no subgroup matrices that Laminar can use (the feature ` +
      'chromium-experimental-subgroup-matrix, with sums in F32); the ordinary matrix product computes',
  ]);
});
