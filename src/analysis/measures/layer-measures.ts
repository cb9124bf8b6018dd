import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { LayerDimensions } from '../dimensions.ts';
import { spectrumScratch } from '../scratch.ts';
import { viewNames, viewOf } from '../views.ts';
import type { ViewName } from '../views.ts';
import { tokenNorms } from './diagnostics.ts';
import type { Outliers, TokenNorms } from './diagnostics.ts';
import { measureHeld, measureView } from './measure-views.ts';
import type { HeldMatrix, MeasuredView, MeasureViewsOptions, ViewRequest } from './measure-views.ts';
import { allMeasures } from './table.ts';
import type { MeasureName, Measures } from './table.ts';
import { ViewState } from './view-state.ts';

/** Measures that every layer of a profile has, whatever is asked for. */
const usualMeasures = ['component_1', 'first_token_share'] as const satisfies readonly MeasureName[];

/** What a layer's dimensions say already, and what is as long as the spectrum: a report has its own file for that. */
const elsewhere = [
  'singular_values',
  'cumulative_percent',
  'effective_dimension',
  'rank',
  'rank_tolerance',
  'near_rank_tolerance',
  'top_percent',
  'participation_ratio',
  'entropy_rank',
  'stable_rank',
] as const satisfies readonly MeasureName[];

/** A measure that a layer of a report may have beside its dimensions. */
export type LayerMeasureName = Exclude<MeasureName, (typeof elsewhere)[number]>;
export type LayerMeasures = Partial<Pick<Measures, LayerMeasureName>>;

/** In the order of the table. */
export const layerMeasureNames = allMeasures.filter((name): name is LayerMeasureName => {
  const others: readonly MeasureName[] = elsewhere;
  return !others.includes(name);
});

/** A layer's dimensions, and what else is measured of it. */
export interface LayerMeasurements extends LayerDimensions, LayerMeasures {
  tokens?: TokenNorms;
  /** Only where views are asked for. */
  outliers?: Outliers;
}

/** A layer in another view: as `all`, or without rows or columns, or measured. */
export type ViewLayer =
  { same_as: 'all' } | ({ rows: number; columns: number } & Partial<LayerDimensions> & LayerMeasures);

/** A state's measures. */
export interface MeasuredState {
  readonly layer: LayerMeasurements;
  /** Views other than `all`, which is the layer itself. */
  readonly views: Readonly<Partial<Record<ViewName, ViewLayer>>>;
}

/**
 * Measures states whose spectra are known: the usual diagnostics of each, and the views and measures that are asked for.
 * @throws as `measureHeld` does
 */
export async function measureStates(
  gpu: Gpu,
  states: readonly HeldMatrix[],
  request: ViewRequest | undefined,
  options: MeasureViewsOptions,
): Promise<MeasuredState[]> {
  if (!request) {
    const measured: MeasuredState[] = [];
    for (const state of states) {
      options.signal?.throwIfAborted();
      measured.push({ layer: await measureUsual(gpu, state), views: {} });
    }
    return measured;
  }
  const names = new Set<MeasureName>([...usualMeasures, ...request.measures]);
  const whole: ViewRequest = {
    ...request,
    views: viewNames.filter((name) => name === 'all' || request.views.includes(name)),
    measures: allMeasures.filter((name) => names.has(name)),
  };
  const held = await measureHeld(gpu, states, whole, options, true);
  return held.map(({ viewed, spectra }, index) => {
    const { all, ...others } = viewed.views;
    const layer: LayerMeasurements = {
      ...states[index]!.measured.dimensions,
      tokens: viewed.tokens,
      outliers: viewed.outliers,
      ...besideDimensions(all as MeasuredView),
    };
    const views: Partial<Record<ViewName, ViewLayer>> = {};
    for (const name of whole.views) {
      const view = name === 'all' ? undefined : others[name];
      if (!view) continue;
      views[name] =
        'same_as' in view
          ? view
          : {
              rows: view.rows,
              columns: view.columns,
              ...spectra[name]?.dimensions,
              ...besideDimensions(view),
            };
    }
    return { layer, views };
  });
}

async function measureUsual(gpu: Gpu, matrix: HeldMatrix): Promise<LayerMeasurements> {
  const { name, values, columns, measured } = matrix;
  const state = new ViewState(gpu, viewOf(matrix, 'all'), measured, {
    name,
    thresholds: [],
    scratchBytes: spectrumScratch(gpu),
  });
  const usual = await measureView(state, usualMeasures);
  return { ...measured.dimensions, tokens: tokenNorms(values, columns), ...besideDimensions(usual) };
}

function besideDimensions(view: MeasuredView): LayerMeasures {
  return Object.fromEntries(
    layerMeasureNames.filter((name) => name in view).map((name) => [name, view[name]]),
  );
}
