import { afterAll, describe, expect, test } from 'vitest';
import { casesHere, openTestGpu } from '#platform';
import type { ProductVariant } from '../../../src/engine/gpu/tuning.ts';
import { matrixProduct } from '../../../src/engine/kernels.ts';
import { activationRun, productRun } from '../../../src/engine/product-variants.ts';
import type { ProductShape } from '../../../src/engine/product-variants.ts';
import { largestDifference } from '../../support/distance.ts';
import { MatrixSource } from '../../support/matrices.ts';
import { randomWeights, weightFormats } from '../../support/packed.ts';
import type { WeightFormat } from '../../support/packed.ts';
import * as reference from '../../support/reference.ts';
import type { ActivationName } from '../../support/reference.ts';
import { poison, runKernel } from '../../support/run-kernel.ts';
import { productVariants } from '../../support/variants.ts';

const gpu = await openTestGpu();
const variants = productVariants(gpu);
afterAll(() => {
  gpu.dispose();
});

/** [rows, inner, columns]; some fill tiles of 8, 16, 32, 64 or 128, most leave edges, each residue of inner modulo 4. */
const shapes = casesHere<Case['shape']>(
  [
    [1, 1, 1],
    [3, 5, 7],
    [17, 33, 65],
    [64, 64, 128],
    [70, 130, 50],
    [1, 71, 130],
  ],
  [[17, 33, 65]],
);
const activationNames = Object.keys(reference.activations) as ActivationName[];

interface Case {
  readonly shape: readonly [rows: number, inner: number, columns: number];
  readonly format: WeightFormat;
  readonly transposed: boolean;
  readonly hasBias: boolean;
  readonly accumulate: boolean;
  readonly activation: ActivationName;
  readonly variant: ProductVariant;
  /** Whether the variant `tiles` takes its tiles of 128 × 128 where both extents are larger than 64. */
  readonly large?: boolean;
  /** Whether rows start at multiples of four elements. */
  readonly aligned?: boolean;
}

/** A product of single columns and terms, with nothing around it. */
const plain: ProductShape = {
  rows: 1,
  columns: 1,
  inner: 1,
  inputStride: 1,
  firstInput: 0,
  outputStride: 1,
  firstOutput: 0,
  firstColumn: 0,
  firstWeight: 0,
  format: 0,
  isTransposed: false,
  hasBias: false,
  accumulate: false,
  activation: 0,
};

const SMALL_TILES = { largeTilesFrom: Infinity, matrices: gpu.tuning.matrices };

/** Runs a product, and its activation where that is a kernel of its own. @returns the output's bytes */
async function runProduct(
  variant: ProductVariant,
  product: ProductShape,
  buffers: Record<'input' | 'weight' | 'bias' | 'output', ArrayBufferView>,
  tuning = SMALL_TILES,
): Promise<ArrayBuffer> {
  const { kernel, ...run } = productRun(variant, product, tuning);
  const { output } = await runKernel(gpu, kernel, { buffers, ...run });
  const after = activationRun(variant, product);
  if (!after) return output;
  const { kernel: activation, ...rest } = after;
  const { values } = await runKernel(gpu, activation, {
    buffers: { values: new Uint32Array(output) },
    ...rest,
  });
  return values;
}

/** Elements around the operands that the kernel must leave alone. */
const FIRST_COLUMN = 2;
const FIRST_OUTPUT = 3;
const MARGIN = 4;

/**
 * Runs one case inside larger buffers whose margins are NaN.
 * @returns the largest error in units of Σ|terms| · 2⁻²⁴ (activated ones in units of max(1, |x|) besides)
 */
async function worstError(seed: number, options: Case): Promise<number> {
  const { shape, format, transposed, hasBias, accumulate, activation, variant } = options;
  const [rows, inner, columns] = shape;
  const [FIRST_INPUT, FIRST_WEIGHT] = options.aligned ? [4, 8] : [3, 5];
  const source = new MatrixSource(seed);
  const inputStride = FIRST_INPUT + inner + MARGIN;
  const outputStride = FIRST_OUTPUT + FIRST_COLUMN + columns + MARGIN;
  const dense = source.random(rows, inner);
  const input = poison(rows * inputStride);
  for (let row = 0; row < rows; row++) {
    input.set(dense.subarray(row * inner, (row + 1) * inner), row * inputStride + FIRST_INPUT);
  }
  const { packed, values } = randomWeights(source, FIRST_WEIGHT + inner * columns, format);
  const bias = source.random(1, FIRST_COLUMN + columns);
  const previous = source.random(rows, columns);
  const output = poison(rows * outputStride);
  const index = (row: number, column: number) => row * outputStride + FIRST_OUTPUT + FIRST_COLUMN + column;
  if (accumulate) previous.forEach((x, at) => (output[index(Math.floor(at / columns), at % columns)] = x));

  const given = {
    rows,
    columns,
    inner,
    inputStride,
    firstInput: FIRST_INPUT,
    outputStride,
    firstOutput: FIRST_OUTPUT,
    firstColumn: FIRST_COLUMN,
    firstWeight: FIRST_WEIGHT,
    format: weightFormats.indexOf(format),
    isTransposed: transposed,
    hasBias,
    accumulate,
    activation: activationNames.indexOf(activation),
  };
  const tuning = options.large ? { ...SMALL_TILES, largeTilesFrom: 1 } : SMALL_TILES;
  const { constants } = productRun(variant, given, tuning);
  if (options.large) expect(constants.threadsX).toBe(16);
  if (options.aligned) expect(constants.aligned).toBe(1);
  const buffers = { input, weight: packed, bias, output };
  const actual = new Float32Array(await runProduct(variant, given, buffers, tuning));
  const { product, magnitude } = reference.matrixProduct(dense, values.subarray(FIRST_WEIGHT), {
    rows,
    inner,
    columns,
    transposed,
  });
  let worst = 0;
  let written = 0;
  for (let at = 0; at < product.length; at++) {
    const addends = [
      hasBias ? bias[FIRST_COLUMN + (at % columns)]! : 0,
      accumulate ? previous[at]! : 0,
    ] as const;
    const sum = product[at]! + addends[0] + addends[1];
    const scale = magnitude[at]! + Math.abs(addends[0]) + Math.abs(addends[1]);
    const expected = reference.activations[activation](sum);
    const isGelu = activation.startsWith('gelu');
    // gelu's slope stays under 1.13; its own error may be 1e-6, about 16 units, of a number near 1.
    const unit = (isGelu ? 1.13 * scale + Math.max(1, Math.abs(sum)) : scale) * 2 ** -24;
    const value = actual[index(Math.floor(at / columns), at % columns)]!;
    const error = Math.abs(value - expected) / unit;
    if (!(error <= worst)) worst = error;
    written++;
  }
  // Nothing outside the product's own columns was touched.
  expect(actual.filter((value) => !Number.isNaN(value))).toHaveLength(written);
  return worst;
}

describe.each(variants)('%s', (variant) => {
  const ways = weightFormats.flatMap((format) => [
    [format, '[in, out]', false] as const,
    [format, '[out, in]', true] as const,
  ]);

  test.each(
    casesHere(
      ways,
      ways.filter(([format, , transposed]) => transposed === (format === 'F16')),
    ),
  )('%s weights %s', async (format, _, transposed) => {
    for (const [seed, shape] of shapes.entries()) {
      const [, inner] = shape;
      const bare = { hasBias: false, accumulate: false, activation: 'none' } as const;
      const error = await worstError(seed + 1, { shape, format, transposed, variant, ...bare });
      // Blocked summation: 16 terms, then the blocks.
      expect(error, shape.join('×')).toBeLessThanOrEqual(18 + Math.ceil(inner / 16));
    }
  });

  test.each(
    casesHere<readonly [ActivationName, boolean, boolean]>(
      // Bias and the sum before are added by the same lines for every activation: a few of them stand for all.
      (['none', 'gelu tanh', 'gelu erf', 'relu'] as const).flatMap((activation) =>
        [false, true].flatMap((hasBias) =>
          [false, true].map((accumulate) => [activation, hasBias, accumulate] as const),
        ),
      ),
      [['gelu tanh', true, true]],
    ),
  )('activation %s, bias %s, accumulate %s', async (activation, hasBias, accumulate) => {
    const rest = { shape: [9, 21, 37], format: 'F32', transposed: false, variant } as const;
    expect(await worstError(1, { ...rest, hasBias, accumulate, activation })).toBeLessThanOrEqual(22);
  });
});

// The other tests take tiles of 64 × 64, and rows that do not start at a multiple of four.
describe.each([
  ['64 × 64', false, ['F32', 'F16']],
  ['128 × 128', true, ['F32']],
] as const)('tiles of %s', (_, large, formats) => {
  const whole = casesHere<Case['shape']>(
    [
      [128, 4, 128],
      [130, 36, 193],
    ],
    [[130, 36, 193]],
  );
  const rest = { variant: 'tiles', large, hasBias: false, accumulate: false, activation: 'none' } as const;

  test.each(formats)('%s weights, rows of whole fours', async (format) => {
    for (const [seed, shape] of whole.entries()) {
      for (const transposed of casesHere([false, true], [true])) {
        const error = await worstError(seed, { ...rest, shape, format, transposed, aligned: true });
        expect(error, shape.join('×')).toBeLessThanOrEqual(18 + Math.ceil(shape[1] / 16));
      }
    }
  });

  test('rows that start anywhere', async () => {
    const edges = [[65, 33, 129] as const, [70, 18, 67] as const];
    for (const shape of casesHere(edges, [edges[1]!])) {
      const error = await worstError(4, { ...rest, shape, format: 'F32', transposed: shape[0] === 65 });
      expect(error, shape.join('×')).toBeLessThanOrEqual(20);
    }
  });

  test('bias, sum before and activation', async () => {
    const shape = [66, 20, 131] as const;
    const all = { hasBias: true, accumulate: true, activation: 'gelu tanh' } as const;
    const error = await worstError(3, {
      ...rest,
      ...all,
      shape,
      format: 'F32',
      transposed: true,
      aligned: true,
    });
    expect(error).toBeLessThanOrEqual(22);
  });
});

// Sums of many terms: no variant may add them one by one, which would err by up to `inner` units.
test.each(variants)('%s: long sums', async (variant) => {
  const rest = { format: 'F32', hasBias: false, accumulate: false, activation: 'none', variant } as const;
  for (const transposed of casesHere([false, true], [variant === 'tiles'])) {
    const error = await worstError(2, { ...rest, shape: [8, 4096, 16], transposed, aligned: true });
    expect(error).toBeLessThanOrEqual(8);
  }
});

// Few rows make flat workgroups; the engine's three shapes, and the smallest one.
test.each(
  casesHere(
    [
      { threadsX: 16, threadsY: 8 },
      { threadsX: 32, threadsY: 4 },
      { threadsX: 32, threadsY: 2 },
      { threadsX: 1, threadsY: 1 },
    ],
    [{ threadsX: 16, threadsY: 8 }],
  ),
)('a workgroup of $threadsX × $threadsY', async ({ threadsX, threadsY }) => {
  const [rows, inner, columns] = [19, 35, 41];
  const source = new MatrixSource(5);
  const [input, weight] = [source.random(rows, inner), source.random(inner, columns)];
  const { product } = reference.matrixProduct(input, weight, { rows, inner, columns, transposed: false });
  for (const variant of ['direct', 'staged'] as const) {
    const asked = { ...plain, rows, columns, inner, inputStride: inner, outputStride: columns };
    const { uniforms, constants } = productRun(variant, asked, SMALL_TILES);
    const { output } = await runKernel(gpu, matrixProduct, {
      buffers: { input, weight, bias: weight, output: poison(rows * columns) },
      uniforms,
      constants: { ...constants, threadsX, threadsY },
      workgroups: [Math.ceil(columns / (4 * threadsX)), Math.ceil(rows / (8 * threadsY))],
    });
    expect(largestDifference(new Float32Array(output), product)).toBeLessThan(1e-5);
  }
});

const extremes = [0, 1e-8, 1e-4, 0.5, 1, Math.SQRT2, 1.5, 3, 5, 9, 12.7, 13, 30, 1e4, 1e30, 3e38];

/** The activation of each x: x is what the output held before, in a square, and the product that is added is 0. */
async function activate(
  variant: ProductVariant,
  activation: ActivationName,
  x: Float32Array,
): Promise<Float32Array> {
  const side = Math.ceil(Math.sqrt(x.length));
  const output = new Float32Array(side * side);
  output.set(x);
  const product = {
    ...plain,
    rows: side,
    columns: side,
    outputStride: side,
    accumulate: true,
    activation: activationNames.indexOf(activation),
  };
  const zeros = new Float32Array(side);
  const values = await runProduct(variant, product, { input: zeros, weight: zeros, bias: zeros, output });
  return new Float32Array(values, 0, x.length);
}

/** Their values do not vanish with x, so that errors are measured against 1. */
const OFFSET = ['sigmoid', 'laplace', 'sqrtsoftplus'];

// `staged` has the activations within it, for others they are a kernel of the same functions.
const eachActivation = casesHere(
  variants,
  variants.filter((variant) => variant === 'staged'),
).flatMap((variant) => activationNames.map((name) => [variant, name] as const));

test.each(eachActivation)('%s: %s at the extremes is finite and right', async (variant, activation) => {
  const x = Float32Array.from([...extremes, ...extremes.map((value) => -value)]);
  const actual = await activate(variant, activation, x);
  x.forEach((value, index) => {
    const expected = reference.activations[activation](value);
    if (!Number.isFinite(Math.fround(expected))) {
      expect(actual[index], `at ${value}`).toBe(Math.fround(expected)); // relu2 of what is huge
      return;
    }
    expect(actual[index], `at ${value}`).toSatisfy(Number.isFinite);
    const error = Math.abs(actual[index]! - expected);
    const scale = OFFSET.includes(activation) ? 1 : Math.min(1, Math.abs(value));
    expect(error, `at ${value}`).toBeLessThanOrEqual(1e-6 * scale + 1e-6 * Math.abs(expected));
  });
});

test.each(eachActivation)('%s: %s leaves a NaN a NaN', async (variant, activation) => {
  const x = Float32Array.of(NaN, 1, -NaN, -1);
  new Uint32Array(x.buffer)[2] = 0xff800001; // a signalling one, negative
  const actual = await activate(variant, activation, x);
  expect([...actual].map(Number.isNaN)).toEqual([true, false, true, false]);
});

test.each(eachActivation)('%s: %s within 1e-6 between −12 and 12', async (variant, activation) => {
  const x = Float32Array.from({ length: 12_001 }, (_, index) => (index - 6000) / 500);
  const actual = await activate(variant, activation, x);
  let worst = 0;
  x.forEach((value, index) => {
    const expected = reference.activations[activation](value);
    const error = Math.abs(actual[index]! - expected) / Math.max(1, Math.abs(value), Math.abs(expected));
    if (!(error <= worst)) worst = error;
  });
  expect(worst).toBeLessThan(1e-6);
});
