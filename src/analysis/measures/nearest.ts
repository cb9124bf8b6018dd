import { inSlices } from '../../engine/abort.ts';
import { DeviceError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { Pace } from '../../engine/gpu/pace.ts';
import { keepNearest, squaredDistances } from './kernels.ts';

/** The distances of every point to its nearest neighbours. */
export interface NearestDistances {
  readonly points: number;
  /** How many neighbours each point has here. */
  readonly ranks: number;
  /** Distances [rank, point], ascending in rank: to the neighbour number rank + 1. */
  readonly distances: Float64Array;
}

/** What the points are, and how many neighbours of each are wanted: at most rows − 1. */
export interface PointsShape {
  /** What error messages call the matrix. */
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly ranks: number;
  /** The points in float64, where the float32 ones are rounded: for rows that nearly coincide. */
  readonly exact?: Float64Array;
}

/** The kernel's tile: candidates are taken in multiples of it. */
const TILE = 64;
/** The maximum number of bytes of distances in memory at once. */
const BLOCK_BYTES = 32 * 2 ** 20;
/** Below this a square has lost bits in float32, where the largest difference is near 1. */
const MIN_SQUARE = 2 ** -100;
/** Below this a column has lost bits, if its values were rounded: an error of 2⁻²⁵ is then 1e-4 of the distance. */
const MIN_ROUNDED_SQUARE = 2 ** -22;

/**
 * The distances of every row to its nearest other rows, on the GPU. They are computed from the differences themselves, for a
 * run of candidates at a time, so that only a bounded part of all distances is held.
 *
 * @param values row-major [rows, columns], finite
 * @returns good to about 1e-6 relative. Rows whose nearest neighbour is too near for float32, compared with the matrix's
 *   largest difference, are computed again on the host.
 * @throws DeviceError if the matrix does not fit a binding
 */
export async function nearestDistances(
  gpu: Gpu,
  values: Float32Array<ArrayBuffer>,
  { name, rows, columns, ranks, exact }: PointsShape,
  signal?: AbortSignal,
): Promise<NearestDistances> {
  if (ranks < 1) return { points: rows, ranks: 0, distances: new Float64Array(0) };
  const bytes = Math.max(4 * rows * columns, 4 * rows * TILE, 4 * rows * ranks);
  if (bytes > gpu.bindingLimit) {
    throw new DeviceError(
      `the neighbours of ${name} (${rows} x ${columns}) need a buffer of ${bytes} bytes; this adapter binds at most ` +
        `${gpu.bindingLimit}: take fewer tokens`,
      { code: 'binding-limit', subject: { kind: 'matrix', name } },
    );
  }
  const exponent = -exponentOf(largestDifference(values, rows, columns));
  const squares = await smallestSquares(gpu, values, { rows, columns, ranks, scale: 2 ** exponent }, signal);
  const distances = Float64Array.from(squares, (square) => Math.sqrt(square) * 2 ** -exponent);
  const minSquare = exact ? MIN_ROUNDED_SQUARE * columns : MIN_SQUARE;
  const isPoor = (point: number): boolean =>
    squares[point]! < minSquare || squares[(ranks - 1) * rows + point]! >= 2 ** 127;
  await inSlices(computeAgain(), signal);
  function* computeAgain(): Generator<void, void> {
    for (let point = 0; point < rows; point++) {
      if (!isPoor(point)) continue;
      yield;
      exactDistances(exact ?? values, columns, point)
        .subarray(0, ranks)
        .forEach((distance, rank) => (distances[rank * rows + point] = distance));
    }
  }
  return { points: rows, ranks, distances };
}

interface Job {
  readonly rows: number;
  readonly columns: number;
  readonly ranks: number;
  readonly scale: number;
}

async function smallestSquares(
  gpu: Gpu,
  values: Float32Array<ArrayBuffer>,
  { rows, columns, ranks, scale }: Job,
  signal: AbortSignal | undefined,
): Promise<Float32Array> {
  const pace = new Pace(gpu, 'neighbours', signal);
  const blockBytes = Math.min(BLOCK_BYTES, gpu.bindingLimit, (gpu.memoryLimit - gpu.allocatedBytes) / 4);
  const maxCandidates = TILE * Math.max(1, Math.floor(blockBytes / (4 * rows * TILE)));
  const buffers: GPUBuffer[] = [];
  const allocate = (label: string, bytes: number) => {
    const buffer = gpu.allocate(label, bytes);
    buffers.push(buffer);
    return buffer;
  };
  try {
    const matrix = allocate('points', 4 * values.length);
    const distances = allocate(
      'distances',
      4 * rows * Math.min(maxCandidates, TILE * Math.ceil(rows / TILE)),
    );
    const nearest = allocate('nearest', 4 * rows * ranks);
    gpu.write(matrix, 0, values);
    for (let first = 0, candidates = 0; first < rows; first += candidates) {
      const affordable = TILE * Math.max(1, Math.floor(pace.budget / (3 * rows * columns * TILE)));
      candidates = Math.min(maxCandidates, affordable, rows - first);
      await pace.add(3 * rows * candidates * columns, (recorder) => {
        recorder.dispatch(squaredDistances, {
          bindings: { matrix, distances },
          uniforms: { points: rows, columns, first, candidates, scale },
          workgroups: [Math.ceil(rows / TILE), Math.ceil(candidates / TILE)],
        });
        recorder.dispatch(keepNearest, {
          bindings: { distances, nearest },
          uniforms: { points: rows, first, candidates, ranks },
          workgroups: [Math.ceil(rows / 64)],
        });
      });
    }
    const [read] = await pace.read([{ buffer: nearest, size: 4 * rows * ranks }]);
    return new Float32Array(read);
  } finally {
    for (const buffer of buffers) gpu.free(buffer);
  }
}

/** The widest range of any column; 1 where nothing differs. */
function largestDifference(values: Float32Array, rows: number, columns: number): number {
  const low = values.slice(0, columns);
  const high = values.slice(0, columns);
  for (let index = 0, row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) {
      const value = values[index]!;
      if (value < low[column]!) low[column] = value;
      if (value > high[column]!) high[column] = value;
    }
  }
  let widest = 0;
  for (let column = 0; column < columns; column++) widest = Math.max(widest, high[column]! - low[column]!);
  return widest || 1;
}

/** Within what float32 holds. */
function exponentOf(magnitude: number): number {
  return Math.max(-126, Math.min(126, Math.ceil(Math.log2(magnitude))));
}

/** The distances of one row to all others, ascending, in float64. */
function exactDistances(values: Float32Array | Float64Array, columns: number, point: number): Float64Array {
  const rows = values.length / columns;
  const own = values.subarray(point * columns, (point + 1) * columns);
  const distances = new Float64Array(rows - 1);
  for (let row = 0, place = 0; row < rows; row++) {
    if (row === point) continue;
    let sum = 0;
    for (let column = 0; column < columns; column++) {
      sum += (values[row * columns + column]! - own[column]!) ** 2;
    }
    distances[place++] = Math.sqrt(sum);
  }
  return distances.sort();
}
