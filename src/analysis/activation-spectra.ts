import { InputError } from '../engine/errors.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { elementCount } from '../engine/gpu/tensor.ts';
import type { LayerDimensions } from './dimensions.ts';
import type { UnreadMatrix } from './measure-matrices.ts';
import { profileDefaults } from './report.ts';

/** Row-major numbers and their shape: an activation of a run, or any others. */
export interface ShapedValues {
  readonly shape: readonly number[];
  readonly values: Float32Array | Float64Array | readonly number[];
}

export interface SpectraOptions {
  /** Where to compute, such as the model's own. Without it, a GPU is opened, and disposed at the end. */
  readonly gpu?: Gpu | undefined;
  /** Percent of the variance that the effective dimension must exceed; 95 if absent. */
  readonly threshold?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Matrices done, and matrices in all. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** How many dimensions a matrix of tokens by features uses. */
export interface ActivationSpectrum {
  readonly rows: number;
  readonly columns: number;
  /** σ of the column-centred matrix, descending, [min(rows, columns)]. */
  readonly singularValues: Float64Array;
  readonly dimensions: LayerDimensions;
}

/** Names whose last two axes are heads and their width: all heads of a token are one row. */
const OF_HEADS = /\.hook_(?:q|k|v|z|rot_q|rot_k)$/;

/**
 * Spectra and dimensions of activations, by name. The last axis is features, the one before it tokens; queries, keys,
 * values and z [T, heads, width] are matrices [T, heads · width]. An array with more axes is a stack, such as a pattern
 * of shape [heads, T, T]. Each of its matrices has an answer, `NAME[0]`, `NAME[1]`, … (`NAME[0,1]` if there are two more axes).
 *
 * The singular values come from a one-sided Jacobi SVD (Drmač and Veselić 2008), the measures from `layerDimensions`.
 *
 * @param activations what a run gave, or any named numbers with their shapes
 * @param openGpu opens a GPU if `options.gpu` gives none
 * @throws InputError naming what is not a matrix or lacks numbers, NumericalError naming what holds NaN or infinity,
 * DeviceError
 */
export async function spectra(
  activations: Readonly<Record<string, ShapedValues>> | ReadonlyMap<string, ShapedValues>,
  options: SpectraOptions = {},
  openGpu: () => Promise<Gpu> = openBrowserGpu,
): Promise<Record<string, ActivationSpectrum>> {
  const entries =
    activations instanceof Map
      ? [...(activations as ReadonlyMap<string, ShapedValues>)]
      : Object.entries(activations as Readonly<Record<string, ShapedValues>>);
  const matrices = entries.flatMap(([name, array]) => matricesOf(name, array));
  if (matrices.length === 0) return {};
  const { threshold = profileDefaults.threshold, signal, onProgress } = options;
  const gpu = options.gpu ?? (await openGpu());
  try {
    // A page that imports this function fetches the kernels with the first spectrum, not before it shows anything.
    const { measureMatrices } = await import('./measure-matrices.ts');
    const measured = await measureMatrices(gpu, matrices, {
      threshold,
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    });
    return Object.fromEntries(
      matrices.map(({ name, rows, columns }, index) => [name, { rows, columns, ...measured[index]! }]),
    );
  } finally {
    if (gpu !== options.gpu) gpu.dispose();
  }
}

async function openBrowserGpu(): Promise<Gpu> {
  const { openBrowserGpu: open } = await import('../engine/gpu/open.ts');
  return open();
}

function matricesOf(name: string, { shape, values }: ShapedValues): UnreadMatrix[] {
  const shown = `${name} [${shape.join(', ')}]`;
  const subject = { kind: 'activation', name } as const;
  if (elementCount(shape) !== values.length) {
    throw new InputError(`${shown}: has ${values.length} values; this shape has ${elementCount(shape)}`, {
      code: 'matrix-shape',
      subject,
    });
  }
  const axes = OF_HEADS.test(name) && shape.length > 2 ? 3 : 2;
  if (shape.length < axes || values.length === 0) {
    throw new InputError(
      `${shown}: is not a matrix of tokens by features; give one of shape [tokens, features]`,
      { code: 'matrix-shape', subject },
    );
  }
  const stack = shape.slice(0, -axes);
  const [rows = 0, ...features] = shape.slice(-axes);
  const columns = elementCount(features);
  return Array.from({ length: elementCount(stack) }, (_, index) => ({
    name: stack.length === 0 ? name : `${name}[${placeIn(stack, index).join(',')}]`,
    rows,
    columns,
    read: () => {
      const part = values.slice(index * rows * columns, (index + 1) * rows * columns);
      return Promise.resolve(part instanceof Float64Array ? new Float64Array(part) : Float32Array.from(part));
    },
  }));
}

/** The coordinates of a row-major index. */
function placeIn(shape: readonly number[], index: number): number[] {
  let rest = index;
  return shape
    .toReversed()
    .map((extent) => {
      const place = rest % extent;
      rest = (rest - place) / extent;
      return place;
    })
    .reverse();
}
