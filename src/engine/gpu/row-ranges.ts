import { DeviceError } from '../errors.ts';
import type { Gpu } from './gpu.ts';
import type { BufferRange } from './kernel.ts';
import type { Tensor } from './tensor.ts';

/** Where rows are cut: into buffers, into bindings, into dispatches and into submissions. Nothing else cuts them. */

/** A run of rows: the first, and how many. */
export type RowRange = [first: number, rows: number];

/** Ranges of one buffer must start at multiples of this many bytes (WebGPU's portable default). */
const OFFSET_ALIGNMENT = 256;
/** Workgroups that a dispatch may have in each dimension (WebGPU's smallest limit); many kernels take a row with each. */
export const MAX_WORKGROUPS = 65_535;
/** Rows of the largest tile of a matrix product. */
const TILE_ROWS = 128;

/**
 * Splits rows into runs that each fit a binding.
 * @param rowBytes bytes of one row
 * @param alignment bytes that each run's start must be a multiple of: 4 where each run has a buffer of its own, 256
 * where the runs are ranges of one buffer
 * @throws DeviceError if the minimum number of rows that keeps the alignment is larger than the limit.
 */
export function rowRanges(
  rows: number,
  rowBytes: number,
  limit: number,
  label: string,
  alignment = 4,
): RowRange[] {
  if (rows * rowBytes <= limit) return [[0, rows]];
  const granularity = alignment / powerOfTwoIn(rowBytes, alignment);
  const max = Math.floor(limit / rowBytes / granularity) * granularity;
  if (max < 1) {
    throw new DeviceError(
      `${granularity} rows of ${label} are ${granularity * rowBytes} bytes, over the binding limit of ${limit}; take fewer tokens`,
      { code: 'binding-limit', subject: { kind: 'tensor', name: label } },
    );
  }
  // If many rows fit, runs are whole tiles of a product: powers of two, like the granularity.
  return cut(rows, max > 16 * TILE_ROWS ? max - (max % Math.max(granularity, TILE_ROWS)) : max);
}

/**
 * Runs of rows for which a range of each tensor fits a binding, and one workgroup per row fits a dispatch. Activations have
 * one buffer each.
 * @throws DeviceError if the smallest run whose range begins at an allowed offset does not fit the binding limit.
 */
export function bindableRows(gpu: Gpu, ...tensors: readonly Tensor[]): RowRange[] {
  const runs = tensors.map((tensor) =>
    rowRanges(tensor.shape[0]!, rowBytes(tensor), gpu.bindingLimit, tensor.label, OFFSET_ALIGNMENT),
  );
  // Starts that suit every tensor: the common multiple of powers of two is the largest of them.
  const step = Math.max(
    ...tensors.map((tensor) => OFFSET_ALIGNMENT / powerOfTwoIn(rowBytes(tensor), OFFSET_ALIGNMENT)),
    1,
  );
  const max = Math.min(...runs.map(([run]) => run![1]), MAX_WORKGROUPS);
  const rows = tensors[0]!.shape[0]!;
  if (max >= rows) return [[0, rows]];
  const aligned = Math.floor(max / step) * step;
  if (aligned < 1) {
    const labels = tensors.map(({ label }) => label).join(' and ');
    throw new DeviceError(
      `${step} rows of ${labels} do not fit the binding limit of ${gpu.bindingLimit} bytes; take fewer tokens`,
      { code: 'binding-limit', subject: { kind: 'tensor', name: labels } },
    );
  }
  return cut(rows, aligned);
}

/** Cuts runs of rows into shorter ones with a maximum number of rows; a few tiles are the minimum for a dispatch. */
export function shortRuns(runs: readonly RowRange[], max: number): RowRange[] {
  const length = Math.max(1, Math.floor(max / TILE_ROWS)) * TILE_ROWS;
  return runs.flatMap(([start, rows]) =>
    cut(rows, length).map(([first, count]): RowRange => [start + first, count]),
  );
}

/** Rows of an F32 or I32 tensor in one buffer, as a binding. */
export function rowsOf(tensor: Tensor, first: number, rows: number): BufferRange {
  return { buffer: tensor.buffer, offset: first * rowBytes(tensor), size: rows * rowBytes(tensor) };
}

/**
 * Rows as a binding whose offset is aligned, whatever the rows' length.
 * @returns the binding, and the element in it at which the rows start.
 * @throws DeviceError if a binding cannot hold them
 */
export function alignedRowsOf(
  gpu: Gpu,
  tensor: Tensor,
  first: number,
  rows: number,
): { binding: BufferRange; firstElement: number } {
  const { offset = 0, size = 0 } = rowsOf(tensor, first, rows);
  const slack = offset % OFFSET_ALIGNMENT;
  if (size + slack > gpu.bindingLimit) {
    throw new DeviceError(
      `${tensor.label} of one sequence is ${size + slack} bytes, over the adapter's binding limit of ` +
        `${gpu.bindingLimit}; take fewer tokens`,
      { code: 'binding-limit', subject: { kind: 'tensor', name: tensor.label } },
    );
  }
  return {
    binding: { buffer: tensor.buffer, offset: offset - slack, size: size + slack },
    firstElement: slack / 4,
  };
}

function cut(rows: number, length: number): RowRange[] {
  const ranges: RowRange[] = [];
  for (let first = 0; first < rows; first += length) ranges.push([first, Math.min(length, rows - first)]);
  return ranges;
}

/** The largest power of two, up to another, that divides a number of bytes. */
function powerOfTwoIn(bytes: number, max: number): number {
  return Math.min(max, bytes & -bytes);
}

function rowBytes(tensor: Tensor): number {
  return 4 * (tensor.shape[1] ?? 1);
}
