import { operationsOf } from '../engine/work.ts';
import type { ViewRequest } from './measures/measure-views.ts';
import type { MeasureName } from './measures/table.ts';
import { spectrumWork } from './plan-spectrum.ts';
import { VIEWS_BATCH_BYTES } from './scratch.ts';
import { spectrumShape, workspaceBytes } from './spectrum/workspace.ts';
import type { ViewName } from './views.ts';

/** What the measures of one state of the shape [rows, columns] take, all its views together; at most, and about. */
export interface MeasuresPlan {
  /** Floating-point operations, of the GPU and of the host. */
  readonly operations: number;
  /** Bytes of GPU buffers while one view is measured alone: the minimum. */
  readonly minBytes: number;
  /** The same where `together` states are measured at once. */
  bytes(together: number): number;
}

/** Steps of Lanczos' iteration that the first component of a state usually takes; each reads the state twice. */
const USUAL_STEPS = 24;
/** The same for the ten directions of principal angles. */
const USUAL_ANGLE_STEPS = 64;
/** The largest blocks of squared distances, and of scratch for spectra, that measures take. */
const DISTANCES_BYTES = 32 * 2 ** 20;
const SCRATCH_BYTES = 2 ** 29;
/** Nearest neighbours that are kept of each point, and candidates that are taken at once. */
const NEIGHBOURS = 64;

/**
 * Counts the work of measures and views as `measureStates` does it. What every layer has in any case is counted, too: the
 * norms of its tokens and who carries its first component.
 */
export function planMeasures(rows: number, columns: number, request: ViewRequest | undefined): MeasuresPlan {
  const names: readonly MeasureName[] = request?.measures ?? [];
  const others = (request?.views ?? []).filter((view) => view !== 'all');
  const shapes = others.map((view) => shapeOf(view, rows, columns, request!));
  const usual = operationsOfMeasure('component_1', rows, columns) + 6 * rows * columns;
  const ofAll = sum(names, (name) => (name === 'component_1' ? 0 : operationsOfMeasure(name, rows, columns)));
  const measured: readonly MeasureName[] = [
    ...new Set<MeasureName>([...names, 'component_1', 'first_token_share']),
  ];
  const ofOthers = sum(shapes, ([height, width]) =>
    height < 1 || width < 1
      ? 0
      : operationsOf(spectrumWork(height, width, 1)) +
        sum(measured, (name) => operationsOfMeasure(name, height, width)),
  );
  const compared = sum(request?.comparisons ?? [], (name) =>
    name === 'cka'
      ? // With itself, the layer before and the text.
        3 * 2 * rows * columns * Math.min((rows + 1) / 2, columns)
      : USUAL_ANGLE_STEPS * 4 * rows * columns,
  );
  const matrix = 4 * rows * columns;
  const shape = spectrumShape(rows, columns);
  // What each state adds to the largest batch of matrices to decompose, if all its views have one shape.
  const decomposed = Math.max(others.length, names.includes('prompt_entropy') ? 2 * (1 + others.length) : 0);
  const maxBatch = Math.max(1, Math.floor(VIEWS_BATCH_BYTES / matrix));
  const neighbours = names.includes('neighbours');
  const alone = Math.max(
    decomposed > 0 ? matrix + workspaceBytes(shape, 1) : 0,
    neighbours ? neighbourBytes(rows, columns, NEIGHBOURS) : 0,
  );
  return {
    operations: usual + ofAll + ofOthers + compared,
    minBytes: alone,
    bytes: (together) => {
      const batch = Math.min(together * decomposed, maxBatch);
      return Math.max(
        alone,
        neighbours ? neighbourBytes(rows, columns, rows) : 0,
        batch > 0
          ? batch * matrix +
              Math.max(workspaceBytes(shape, 1), Math.min(SCRATCH_BYTES, workspaceBytes(shape, batch)))
          : 0,
      );
    },
  };
}

/** A view's shape, where nothing is known of the state: no outliers are found. */
function shapeOf(view: ViewName, rows: number, columns: number, request: ViewRequest): [number, number] {
  if (view === 'without_first_token') return [rows - 1, columns];
  if (view === 'without_dimensions') return [rows, columns - request.listedDimensions.length];
  return [rows, columns];
}

function operationsOfMeasure(name: MeasureName, rows: number, columns: number): number {
  switch (name) {
    case 'component_1':
      return USUAL_STEPS * 4 * rows * columns;
    case 'prompt_entropy':
      return 2 * operationsOf(spectrumWork(rows, columns, 1));
    case 'neighbours':
      // Differences, their squares and the sums; every distance is compared with the nearest so far.
      return 3 * rows ** 2 * columns + rows ** 2;
    case 'mean_cosine':
    case 'mean_over_spread':
    case 'first_token_share':
      return 6 * rows * columns;
    default:
      return 4 * Math.min(rows, columns); // of the spectrum alone
  }
}

/** Points, distances of `candidates` to all of them, and the nearest. */
function neighbourBytes(rows: number, columns: number, candidates: number): number {
  const block = 4 * rows * NEIGHBOURS * Math.ceil(candidates / NEIGHBOURS);
  return (
    4 * rows * columns +
    Math.max(4 * rows * NEIGHBOURS, Math.min(DISTANCES_BYTES, block)) +
    4 * rows * NEIGHBOURS
  );
}

function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
