import { NumericalError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { measureMatrices } from '../measure-matrices.ts';
import type { MeasuredMatrix, MeasureOptions, UnreadMatrix } from '../measure-matrices.ts';
import { spectrumScratch } from '../profile.ts';
import { viewOf } from '../views.ts';
import type { Numbers, View, ViewedMatrix, ViewName } from '../views.ts';
import { findOutliers, tokenNorms } from './diagnostics.ts';
import type { Outliers, TokenNorms } from './diagnostics.ts';
import { MIN_POINTS } from './intrinsic-dimension.ts';
import { allMeasures, measureTable, needSpectrum } from './table.ts';
import type { MeasureName, Measures } from './table.ts';
import { ViewState } from './view-state.ts';

/** What is asked of every matrix. */
export interface ViewRequest {
  readonly views: readonly ViewName[];
  readonly measures: readonly MeasureName[];
  /** The columns that the view `without_dimensions` leaves out. */
  readonly listedDimensions: readonly number[];
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

export interface MeasuredWithViews extends MeasuredMatrix {
  readonly viewed: MatrixViews;
}

/** Effective dimensions are given at these percents in any case. */
const THRESHOLDS = [50, 90, 95, 99];
/** The matrices at hand at once take at most this much memory. */
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
  while (answers.length < matrices.length) {
    const chunk = nextChunk(matrices, answers.length);
    answers.push(
      ...(await measureChunk(gpu, chunk, request, {
        ...options,
        ...(onNotice && { onNotice }),
        onProgress: (done, total) =>
          onProgress?.(answers.length + Math.floor((chunk.length * done) / total), matrices.length),
      })),
    );
    onProgress?.(answers.length, matrices.length);
  }
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
  { onProgress, onNotice, ...options }: MeasureViewsOptions,
): Promise<MeasuredWithViews[]> {
  const held: Numbers[] = [];
  for (const matrix of chunk) {
    options.signal?.throwIfAborted();
    held.push(await matrix.read());
  }
  const rounds = 1 + request.views.length;
  const progress = (round: number) => (done: number, total: number) =>
    onProgress?.(round * total + done, rounds * total);
  const wholes = chunk.map(({ rows, columns }, index): ViewedMatrix => ({
    rows,
    columns,
    values: held[index]!,
    outlierDimensions: [],
    listedDimensions: request.listedDimensions,
  }));
  const whole = await spectraOfViews(
    gpu,
    chunk,
    wholes.map((matrix) => viewOf(matrix, 'all')),
    { ...options, onProgress: progress(0) },
  );
  // Only now is it known that all numbers are finite.
  const answers = chunk.map((matrix, index): MeasuredWithViews => {
    const outliers = findOutliers(held[index]!, matrix.columns);
    wholes[index] = { ...wholes[index]!, outlierDimensions: outliers.dimensions };
    const tokens = tokenNorms(held[index]!, matrix.columns);
    if (tokens.max === Infinity)
      throw new NumericalError(
        `the norms of ${matrix.name}'s rows exceed the range of float64; scale it down`,
      );
    return { ...whole[index]!, viewed: matrixViews(outliers, tokens, request, options.threshold) };
  });

  for (const [round, name] of request.views.entries()) {
    const views = wholes.map((matrix) => viewOf(matrix, name));
    const isSame = (index: number) =>
      name === 'without_outlier_dimensions' &&
      request.views.includes('all') &&
      answers[index]!.viewed.outliers.dimensions.length === 0;
    const places = Array.from(views.keys()).filter(
      (index) => !isSame(index) && views[index]!.rows > 0 && views[index]!.columns > 0,
    );
    const spectra =
      name === 'all'
        ? whole
        : needSpectrum(request.measures)
          ? await spectraOfViews(
              gpu,
              places.map((index) => chunk[index]!),
              places.map((index) => views[index]!),
              { ...options, onProgress: progress(round + 1) },
            )
          : [];
    for (const [index, view] of views.entries()) {
      options.signal?.throwIfAborted();
      const { viewed } = answers[index]!;
      const place = places.indexOf(index);
      if (isSame(index)) viewed.views[name] = { same_as: 'all' };
      else if (place < 0) viewed.views[name] = { rows: view.rows, columns: view.columns };
      else {
        const state = new ViewState(gpu, view, spectra[place], {
          name: nameOf(chunk[index]!, name),
          thresholds: viewed.thresholds,
          scratchBytes: spectrumScratch(gpu),
          ...(options.signal && { signal: options.signal }),
        });
        viewed.views[name] = await measureView(state, request.measures, onNotice);
      }
    }
    progress(round + 1)(1, 1);
  }
  return answers;
}

/** One view's measures. */
export async function measureView(
  state: ViewState,
  names: readonly MeasureName[],
  onNotice?: (notice: string) => void,
): Promise<MeasuredView> {
  const { rows, columns } = state.view;
  const chosen = allMeasures.filter((name) => names.includes(name));
  const answer: MeasuredView = { rows, columns };
  for (const name of chosen) Object.assign(answer, { [name]: await measureTable[name].measure(state) });
  const points = answer.neighbours?.points ?? MIN_POINTS;
  if (points < MIN_POINTS) {
    onNotice?.(
      `${state.options.name}: has ${points} different ${points === 1 ? 'row' : 'rows'}; ` +
        `twonn, gride and mle need at least ${MIN_POINTS}`,
    );
  }
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
  matrices: readonly UnreadMatrix[],
  views: readonly View[],
  options: MeasureOptions,
): Promise<MeasuredMatrix[]> {
  const unread = views.map(({ name, rows, columns, values }, index): UnreadMatrix => ({
    name: nameOf(matrices[index]!, name),
    rows,
    columns,
    read: () => Promise.resolve(values()),
  }));
  return measureMatrices(gpu, unread, options);
}

function nameOf({ name }: UnreadMatrix, view: ViewName): string {
  return view === 'all' ? name : `${name}, view ${view}`;
}
