import { NumericalError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { measureMatrices } from '../measure-matrices.ts';
import type { MeasuredMatrix, MeasureOptions, UnreadMatrix } from '../measure-matrices.ts';
import { VIEWS_BATCH_BYTES } from '../scratch.ts';
import { viewOf } from '../views.ts';
import type { Numbers, View, ViewName } from '../views.ts';
import type { ComparisonName } from './comparisons.ts';
import { computeMeasure } from './compute.ts';
import { findOutliers, tokenNorms } from './diagnostics.ts';
import type { Outliers, TokenNorms } from './diagnostics.ts';
import { promptEntropies } from './entropy.ts';
import { MIN_POINTS } from './intrinsic-dimension.ts';
import { fewRowsNotice } from './neighbours.ts';
import type { FewRows } from './neighbours.ts';
import { allMeasures, needSpectrum } from './table.ts';
import type { MeasureName, Measures } from './table.ts';
import { ViewState } from './view-state.ts';

/** What is asked of every matrix. */
export interface ViewRequest {
  readonly views: readonly ViewName[];
  readonly measures: readonly MeasureName[];
  /** The columns that the view `without_dimensions` leaves out. */
  readonly listedDimensions: readonly number[];
  /** How to compare a profile's states. Default: not at all. */
  readonly comparisons?: readonly ComparisonName[] | undefined;
}

/** One view's measures, in the order of the table. A view without rows or columns has no more than these. */
export interface MeasuredView extends Partial<Measures> {
  rows: number;
  columns: number;
}

/** A matrix's views. */
export interface MatrixViews {
  outliers: Outliers;
  tokens: TokenNorms;
  /** Only where the view `without_dimensions` is asked for. */
  listed_dimensions?: number[];
  /** The percents of variance that the effective dimensions of every view exceed. */
  thresholds: number[];
  views: Partial<Record<ViewName, MeasuredView | { same_as: 'all' }>>;
}

export interface MeasureViewsOptions extends MeasureOptions {
  /** Told what could not be measured, and why. */
  readonly onNotice?: (notice: string) => void;
}

export interface MeasureHeldOptions extends MeasureOptions {
  /** Told of each view that has too few different rows for intrinsic dimensions. */
  readonly onFewRows?: ((few: FewRows) => void) | undefined;
}

export interface MeasuredWithViews extends MeasuredMatrix {
  readonly viewed: MatrixViews;
}

/** Effective dimensions are given at these percents in any case. */
const THRESHOLDS = [50, 90, 95, 99];
/** The maximum number of bytes of matrices in memory at once. */
const CHUNK_BYTES = 64 * 2 ** 20;

/**
 * Measures matrices of any shapes, and views of them. Each is read once; a few are held at a time, so that their
 * spectra are computed together.
 *
 * @returns for each what `measureMatrices` gives, and its views
 * @throws as `measureMatrices` does
 */
export async function measureViews(
  gpu: Gpu,
  matrices: readonly UnreadMatrix[],
  request: ViewRequest,
  { onProgress, onNotice, ...options }: MeasureViewsOptions,
): Promise<MeasuredWithViews[]> {
  const answers: MeasuredWithViews[] = [];
  const few: FewRows[] = [];
  while (answers.length < matrices.length) {
    const chunk = nextChunk(matrices, answers.length);
    answers.push(
      ...(await measureChunk(gpu, chunk, request, {
        ...options,
        onFewRows: (rows) => void few.push(rows),
        onProgress: (done, total) =>
          onProgress?.(answers.length + Math.floor((chunk.length * done) / total), matrices.length),
      })),
    );
    onProgress?.(answers.length, matrices.length);
  }
  const notice = fewRowsNotice(few);
  if (notice !== undefined) onNotice?.(notice);
  return answers;
}

function nextChunk(matrices: readonly UnreadMatrix[], first: number): UnreadMatrix[] {
  let bytes = 0;
  let end = first;
  while (end < matrices.length) {
    bytes += 8 * matrices[end]!.rows * matrices[end]!.columns;
    if (bytes > CHUNK_BYTES && end > first) break;
    end += 1;
  }
  return matrices.slice(first, end);
}

async function measureChunk(
  gpu: Gpu,
  chunk: readonly UnreadMatrix[],
  request: ViewRequest,
  { onProgress, onFewRows, ...options }: MeasureHeldOptions,
): Promise<MeasuredWithViews[]> {
  const held: Numbers[] = [];
  for (const matrix of chunk) {
    options.signal?.throwIfAborted();
    held.push(await matrix.read());
  }
  const rounds = 1 + request.views.length;
  const whole = await spectraOfViews(
    gpu,
    chunk.map(({ name, rows, columns }, index) => ({
      name,
      view: viewOf({ rows, columns, values: held[index]! }, 'all'),
    })),
    { ...options, onProgress: (done, total) => onProgress?.(done, rounds * total) },
  );
  const matrices = chunk.map(({ name, rows, columns }, index): HeldMatrix => ({
    name,
    rows,
    columns,
    values: held[index]!,
    measured: whole[index]!,
  }));
  const answers = await measureHeld(gpu, matrices, request, {
    ...options,
    onFewRows,
    onProgress: (done, total) => onProgress?.(total / (rounds - 1) + done, (total * rounds) / (rounds - 1)),
  });
  return answers.map((answer, index) => ({ ...whole[index]!, ...answer }));
}

/** A matrix in memory, whose numbers are all finite, and its own spectrum. */
export interface HeldMatrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** Row-major, [rows · columns]; never written. */
  readonly values: Numbers;
  readonly measured: MeasuredMatrix;
}

/** What was measured of a matrix's views, and the spectra of those for which the measures needed it. */
export interface HeldViews {
  readonly viewed: MatrixViews;
  readonly spectra: Readonly<Partial<Record<ViewName, MeasuredMatrix>>>;
}

/**
 * Measures views of matrices that are in memory; spectra of matrices of one shape are computed together.
 * @param isSpectral whether the views' spectra are wanted even if no measure needs them
 * @throws as `measureMatrices` does, and NumericalError if norms exceed float64
 */
export async function measureHeld(
  gpu: Gpu,
  matrices: readonly HeldMatrix[],
  request: ViewRequest,
  { onProgress, onFewRows, ...options }: MeasureHeldOptions,
  isSpectral = needSpectrum(request.measures),
): Promise<HeldViews[]> {
  const answers = matrices.map(({ name, values, columns }) => {
    const outliers = findOutliers(values, columns);
    const tokens = tokenNorms(values, columns);
    if (tokens.max === Infinity)
      throw new NumericalError(`the norms of ${name}'s rows exceed the range of float64; scale it down`, {
        code: 'matrix-out-of-range',
        subject: { kind: 'matrix', name },
      });
    const spectra: Partial<Record<ViewName, MeasuredMatrix>> = {};
    return { viewed: matrixViews(outliers, tokens, request, options.threshold), spectra };
  });
  const shown: Shown[] = [];
  for (const view of request.views) {
    for (const [index, matrix] of matrices.entries()) {
      const { viewed, spectra } = answers[index]!;
      const { dimensions: outlierDimensions } = viewed.outliers;
      const { listedDimensions } = request;
      if (isAll(view, request, outlierDimensions)) {
        viewed.views[view] = { same_as: 'all' };
        continue;
      }
      const ofView = viewOf({ ...matrix, outlierDimensions, listedDimensions }, view);
      const { rows, columns } = ofView;
      if (view === 'all') spectra.all = matrix.measured;
      viewed.views[view] = { rows, columns };
      if (rows > 0 && columns > 0) shown.push({ name: nameOf(matrix.name, view), view: ofView, index });
    }
  }
  // Three parts: spectra, prompt entropies, and the measures of one view after the other.
  const batches = (part: number) => ({
    ...(options.signal && { signal: options.signal }),
    batchBytes: VIEWS_BATCH_BYTES,
    onProgress: (done: number, total: number) => onProgress?.(part * total + done, 3 * total),
  });
  if (isSpectral) {
    const others = shown.filter(({ view }) => view.name !== 'all');
    const measured = await spectraOfViews(gpu, others, { ...options, ...batches(0) });
    for (const [place, { index, view }] of others.entries())
      answers[index]!.spectra[view.name] = measured[place]!;
  }
  const entropies = request.measures.includes('prompt_entropy')
    ? await promptEntropies(gpu, shown, batches(1))
    : [];
  for (const [place, { name, view, index }] of shown.entries()) {
    options.signal?.throwIfAborted();
    const { viewed, spectra } = answers[index]!;
    const state = new ViewState(gpu, view, {
      name,
      thresholds: viewed.thresholds,
      measured: spectra[view.name],
      entropy: entropies[place],
      ...(options.signal && { signal: options.signal }),
    });
    viewed.views[view.name] = await measureView(state, request.measures, onFewRows);
    batches(2).onProgress(place + 1, shown.length);
  }
  return answers;
}

/** A view of matrix number `index`, and what messages call it. */
interface Shown {
  readonly name: string;
  readonly view: View;
  readonly index: number;
}

function isAll(view: ViewName, { views }: ViewRequest, outlierDimensions: readonly number[]): boolean {
  return view === 'without_outlier_dimensions' && views.includes('all') && outlierDimensions.length === 0;
}

/** One view's measures. */
export async function measureView(
  state: ViewState,
  names: readonly MeasureName[],
  onFewRows?: (few: FewRows) => void,
): Promise<MeasuredView> {
  const { rows, columns } = state.view;
  const chosen = allMeasures.filter((name) => names.includes(name));
  const answer: MeasuredView = { rows, columns };
  for (const name of chosen) Object.assign(answer, { [name]: await computeMeasure[name](state) });
  const points = answer.neighbours?.points ?? MIN_POINTS;
  if (points < MIN_POINTS) onFewRows?.({ name: state.options.name, points });
  return answer;
}

function matrixViews(
  outliers: Outliers,
  tokens: TokenNorms,
  { views, listedDimensions }: ViewRequest,
  threshold: number,
): MatrixViews {
  return {
    outliers,
    tokens,
    ...(views.includes('without_dimensions') && { listed_dimensions: [...listedDimensions] }),
    thresholds: [...new Set([...THRESHOLDS, threshold])].sort((a, b) => a - b),
    views: {},
  };
}

function spectraOfViews(
  gpu: Gpu,
  shown: readonly { readonly name: string; readonly view: View }[],
  options: MeasureOptions,
): Promise<MeasuredMatrix[]> {
  const unread = shown.map(({ name, view: { rows, columns, values } }): UnreadMatrix => ({
    name,
    rows,
    columns,
    read: () => Promise.resolve(values()),
  }));
  return measureMatrices(gpu, unread, options);
}

function nameOf(name: string, view: ViewName): string {
  return view === 'all' ? name : `${name}, view ${view}`;
}
