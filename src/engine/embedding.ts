import type { EmbeddingSpec } from './architectures/architecture.ts';
import { holdsNonfinite } from './holds-nonfinite.ts';
import { asStored, notFinite } from './weights.ts';
import type { Weight } from './weights.ts';
import type { Gpu } from './gpu/gpu.ts';
import type { Recorder } from './gpu/recorder.ts';
import type { Tensor } from './gpu/tensor.ts';
import { embed, weightFormat } from './kernels.ts';
import { bindableRows, rowsOf } from './gpu/row-ranges.ts';

/** Rows nearer than this in the file are read at once. */
const JOIN_BYTES = 64 * 2 ** 10;
const MAX_READ_BYTES = 8 * 2 ** 20;

/** What an embedding is called among the activations. */
export function embeddingName(by: EmbeddingSpec['by']): string {
  return by === 'token' ? 'hook_embed' : 'hook_pos_embed';
}

/** The rows of a table that a batch uses, on the GPU, and where in them each position's row stands. */
export interface GatheredRows extends Disposable {
  /** Packed [distinct rows, width]. */
  readonly table: Tensor;
  /** I32 [rows of the batch]. */
  readonly indices: Tensor;
}

/**
 * Reads only the rows of an embedding table that the batch uses. A window of text needs a thousand rows of a table of
 * fifty thousand, so the whole table need not reach the GPU.
 * @throws FileError if the file fails, NumericalError naming the table if one of the rows holds a NaN or an infinity.
 */
export async function gatherRows(gpu: Gpu, weight: Weight, rows: Int32Array): Promise<GatheredRows> {
  const { entry, shape, dtype } = weight;
  const rowBytes = entry.bytes / shape[0]!;
  const distinct = [...new Set(rows)].sort((a, b) => a - b);
  const bytes = new Uint8Array(distinct.length * rowBytes);
  let done = 0;
  for (const run of joinNeighbours(distinct, rowBytes)) {
    const first = run[0]!;
    const span = (run.at(-1)! + 1 - first) * rowBytes;
    const read = await entry.source.read(entry.offset + first * rowBytes, span);
    for (const row of run) {
      bytes.set(read.subarray((row - first) * rowBytes, (row + 1 - first) * rowBytes), rowBytes * done++);
    }
  }
  const table = gpu.tensor(weight.name, [distinct.length, ...shape.slice(1)], dtype);
  try {
    for (const part of table.parts) {
      const start = part.firstRow * rowBytes;
      const stored = asStored(bytes.subarray(start, start + part.rows * rowBytes), entry, dtype);
      // The host has these few rows in memory. Asking the GPU would mean a wait at the start of each run.
      if (holdsNonfinite(stored, dtype)) throw notFinite(weight);
      gpu.write(part.buffer, 0, stored);
    }
    const place = new Map(distinct.map((row, index) => [row, index]));
    const indices = gpu.upload(
      `${weight.name} indices`,
      [rows.length],
      rows.map((row) => place.get(row)!),
    );
    return {
      table,
      indices,
      [Symbol.dispose]() {
        table.dispose();
        indices.dispose();
      },
    };
  } catch (error) {
    table.dispose();
    throw error;
  }
}

function joinNeighbours(rows: readonly number[], rowBytes: number): number[][] {
  const runs: number[][] = [];
  for (const row of rows) {
    const run = runs.at(-1);
    const isNear = run && (row - run.at(-1)!) * rowBytes <= JOIN_BYTES;
    if (isNear && (row + 1 - run[0]!) * rowBytes <= MAX_READ_BYTES) run.push(row);
    else runs.push([row]);
  }
  return runs;
}

/** Writes (or, with `accumulate`, adds) the gathered rows into output F32 [rows, width]. */
export function recordEmbedding(
  gpu: Gpu,
  recorder: Recorder,
  { table, indices }: GatheredRows,
  output: Tensor,
  accumulate: boolean,
): void {
  const width = output.shape[1]!;
  for (const [firstRow, rows] of bindableRows(gpu, output)) {
    for (const part of table.parts) {
      recorder.dispatch(embed, {
        bindings: {
          indices: indices.buffer,
          table: part.buffer,
          output: rowsOf(output, firstRow, rows),
        },
        uniforms: { rows, width, firstIndex: firstRow, firstRow: part.firstRow, tableRows: part.rows },
        constants: { weightFormat: weightFormat(table.dtype), accumulate: Number(accumulate) },
        workgroups: [Math.ceil(width / 64), rows],
      });
    }
  }
}
