import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { matrixProduct } from '../../src/engine/kernels.ts';
import { MatrixSource } from '../support/matrices.ts';
import { randomWeights, weightFormats } from '../support/packed.ts';
import type { WeightFormat } from '../support/packed.ts';
import * as reference from '../support/reference.ts';
import type { ActivationName } from '../support/reference.ts';
import { poison, runKernel } from '../support/run-kernel.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** [rows, inner, columns]; none but the first fills a tile of 8, 16, 32, 64 or 128. */
const shapes = [
  [1, 1, 1],
  [3, 5, 7],
  [17, 33, 65],
  [70, 129, 50],
  [1, 70, 130],
] as const;
/** The workgroups that the engine uses, and the smallest. */
const workgroups = [
  { threadsX: 16, threadsY: 8 },
  { threadsX: 32, threadsY: 4 },
  { threadsX: 32, threadsY: 2 },
  { threadsX: 1, threadsY: 1 },
] as const;
const activationNames = Object.keys(reference.activations) as ActivationName[];

interface Case {
  readonly shape: readonly [rows: number, inner: number, columns: number];
  readonly format: WeightFormat;
  readonly transposed: boolean;
  readonly hasBias: boolean;
  readonly accumulate: boolean;
  readonly activation: ActivationName;
  readonly staged: boolean;
  readonly workgroup: { readonly threadsX: number; readonly threadsY: number };
}

/** Elements around the operands that the kernel must leave alone. */
const FIRST_INPUT = 3;
const FIRST_WEIGHT = 5;
const FIRST_COLUMN = 2;
const MARGIN = 4;

/**
 * Runs one case inside larger buffers whose margins are NaN.
 * @returns the largest error in units of Σ|terms| · 2⁻²⁴ (activated ones in units of max(1, |x|) besides)
 */
async function worstError(seed: number, options: Case): Promise<number> {
  const { shape, format, transposed, hasBias, accumulate, activation, staged, workgroup } = options;
  const [rows, inner, columns] = shape;
  const source = new MatrixSource(seed);
  const inputStride = FIRST_INPUT + inner + MARGIN;
  const outputStride = FIRST_COLUMN + columns + MARGIN;
  const dense = source.random(rows, inner);
  const input = poison(rows * inputStride);
  for (let row = 0; row < rows; row++) {
    input.set(dense.subarray(row * inner, (row + 1) * inner), row * inputStride + FIRST_INPUT);
  }
  const { packed, values } = randomWeights(source, FIRST_WEIGHT + inner * columns, format);
  const bias = source.random(1, FIRST_COLUMN + columns);
  const previous = source.random(rows, columns);
  const output = poison(rows * outputStride);
  const index = (row: number, column: number) => row * outputStride + FIRST_COLUMN + column;
  if (accumulate) previous.forEach((x, at) => (output[index(Math.floor(at / columns), at % columns)] = x));

  const result = await runKernel(gpu, matrixProduct, {
    buffers: { input, weight: packed, bias, output },
    uniforms: {
      rows,
      columns,
      inner,
      inputStride,
      firstInput: FIRST_INPUT,
      outputStride,
      firstColumn: FIRST_COLUMN,
      firstWeight: FIRST_WEIGHT,
    },
    constants: {
      ...workgroup,
      weightFormat: weightFormats.indexOf(format),
      transposed: Number(transposed),
      hasBias: Number(hasBias),
      accumulate: Number(accumulate),
      activation: activationNames.indexOf(activation),
      staged: Number(staged),
    },
    workgroups: [Math.ceil(columns / (4 * workgroup.threadsX)), Math.ceil(rows / (8 * workgroup.threadsY))],
  });

  const actual = new Float32Array(result.output);
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

describe.each(weightFormats)('%s weights', (format) => {
  // A workgroup for each layout and format, so that each pipeline serves all shapes: they compile slowly on a CPU.
  describe.each([
    ['[in, out]', false, workgroups[weightFormats.indexOf(format)]!],
    ['[out, in]', true, workgroups[(weightFormats.indexOf(format) + 1) % 3]!],
  ] as const)('%s', (_, transposed, workgroup) => {
    test.each([
      ['from memory', false],
      ['staged in workgroup memory', true],
    ] as const)('%s', async (_, staged) => {
      for (const [seed, shape] of shapes.entries()) {
        const [, inner] = shape;
        const options = { shape, format, transposed, staged, workgroup };
        const bare = { hasBias: false, accumulate: false, activation: 'none' } as const;
        const error = await worstError(seed + 1, { ...options, ...bare });
        // Blocked summation: 16 terms, then the blocks.
        expect(error, shape.join('×')).toBeLessThanOrEqual(18 + Math.ceil(inner / 16));
      }
    });
  });
});

test.each(
  activationNames.flatMap((activation) =>
    [false, true].flatMap((hasBias) =>
      [false, true].map((accumulate) => [activation, hasBias, accumulate] as const),
    ),
  ),
)('activation %s, bias %s, accumulate %s', async (activation, hasBias, accumulate) => {
  for (const [seed, staged] of (hasBias && accumulate ? [false, true] : [false]).entries()) {
    const shape = [9, 21, 37] as const;
    const rest = { shape, format: 'F32', transposed: false, workgroup: workgroups[2] } as const;
    const options = { ...rest, hasBias, accumulate, activation, staged };
    expect(await worstError(seed + 1, options)).toBeLessThanOrEqual(22);
  }
});

test.each(workgroups)('a workgroup of $threadsX × $threadsY', async (workgroup) => {
  for (const staged of workgroup.threadsX === 1 ? [false, true] : [false]) {
    const rest = {
      format: 'F16',
      transposed: true,
      hasBias: true,
      accumulate: true,
      activation: 'none',
    } as const;
    expect(await worstError(5, { ...rest, shape: [19, 35, 41], staged, workgroup })).toBeLessThanOrEqual(24);
  }
});

const extremes = [0, 1e-8, 1e-4, 0.5, 1, Math.SQRT2, 1.5, 3, 5, 9, 12.7, 13, 30, 1e4, 1e30, 3e38];

/** The activation of each x, by way of a product with the one weight 1. */
async function activate(activation: ActivationName, x: Float32Array): Promise<Float32Array> {
  const rows = x.length;
  const { output } = await runKernel(gpu, matrixProduct, {
    buffers: { input: x, weight: Float32Array.of(1), bias: Float32Array.of(0), output: poison(rows) },
    uniforms: {
      rows,
      columns: 1,
      inner: 1,
      inputStride: 1,
      firstInput: 0,
      outputStride: 1,
      firstColumn: 0,
      firstWeight: 0,
    },
    constants: { threadsX: 16, threadsY: 8, activation: activationNames.indexOf(activation), staged: 0 },
    workgroups: [1, Math.ceil(rows / 64)],
  });
  return new Float32Array(output);
}

test.each(activationNames)('%s at the extremes is finite and right', async (activation) => {
  const x = Float32Array.from([...extremes, ...extremes.map((value) => -value)]);
  const actual = await activate(activation, x);
  x.forEach((value, index) => {
    const expected = reference.activations[activation](value);
    expect(actual[index], `at ${value}`).toSatisfy(Number.isFinite);
    const error = Math.abs(actual[index]! - expected);
    expect(error, `at ${value}`).toBeLessThanOrEqual(
      1e-6 * Math.min(1, Math.abs(value)) + 1e-6 * Math.abs(expected),
    );
  });
});

test.each(['gelu tanh', 'gelu erf'] as const)('%s within 1e-6 between −8 and 8', async (activation) => {
  const x = Float32Array.from({ length: 8001 }, (_, index) => (index - 4000) / 500);
  const actual = await activate(activation, x);
  let worst = 0;
  x.forEach((value, index) => {
    const expected = reference.activations[activation](value);
    const error = Math.abs(actual[index]! - expected) / Math.max(1, Math.abs(value));
    if (!(error <= worst)) worst = error;
  });
  expect(worst).toBeLessThan(1e-6);
});
