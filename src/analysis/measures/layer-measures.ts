import type { Gpu } from '../../engine/gpu/gpu.ts';
import { viewNames, viewOf } from '../views.ts';
import type { ViewName } from '../views.ts';
import { tokenNorms } from './diagnostics.ts';
import { layerMeasureNames, usualMeasures } from './layer-fields.ts';
import type { LayerMeasurements, LayerMeasures, ViewLayer } from './layer-fields.ts';
import { measureHeld, measureView } from './measure-views.ts';
import type { HeldMatrix, MeasuredView, MeasureHeldOptions, ViewRequest } from './measure-views.ts';
import { differByRounding } from './rounding.ts';
import { allMeasures } from './table.ts';
import type { MeasureName } from './table.ts';
import { ViewState } from './view-state.ts';

/** A state's measures. */
export interface MeasuredState {
  readonly layer: LayerMeasurements;
  /** Views other than `all`, which is the layer itself. */
  readonly views: Readonly<Partial<Record<ViewName, ViewLayer>>>;
  /** The singular values of those views, [min(rows, columns)] of the view each; empty where it has none. */
  readonly viewValues: Readonly<Partial<Record<ViewName, Float64Array>>>;
}

export interface MeasureStatesOptions extends MeasureHeldOptions {
  /** Told of each state whose rows differ by rounding alone. */
  readonly onRounding?: (name: string) => void;
}

/**
 * Measures states whose spectra are known: the usual diagnostics of each, and the views and measures that are asked for.
 * @throws as `measureHeld` does
 */
export async function measureStates(
  gpu: Gpu,
  states: readonly HeldMatrix[],
  request: ViewRequest | undefined,
  { onRounding, ...options }: MeasureStatesOptions,
): Promise<MeasuredState[]> {
  for (const state of states) if (differByRounding(state)) onRounding?.(state.name);
  if (!request) {
    const measured: MeasuredState[] = [];
    for (const state of states) {
      options.signal?.throwIfAborted();
      measured.push({ layer: await measureUsual(gpu, state), views: {}, viewValues: {} });
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
    const viewValues: Partial<Record<ViewName, Float64Array>> = {};
    for (const name of whole.views) {
      const view = name === 'all' ? undefined : others[name];
      if (!view) continue;
      if ('same_as' in view) {
        views[name] = view;
        viewValues[name] = states[index]!.measured.singularValues;
        continue;
      }
      const { rows, columns } = view;
      views[name] = { rows, columns, ...spectra[name]?.dimensions, ...besideDimensions(view) };
      viewValues[name] = spectra[name]?.singularValues ?? new Float64Array(0);
    }
    return { layer, views, viewValues };
  });
}

async function measureUsual(gpu: Gpu, matrix: HeldMatrix): Promise<LayerMeasurements> {
  const { name, values, columns, measured } = matrix;
  const state = new ViewState(gpu, viewOf(matrix, 'all'), { name, thresholds: [], measured });
  const usual = await measureView(state, usualMeasures);
  return { ...measured.dimensions, tokens: tokenNorms(values, columns), ...besideDimensions(usual) };
}

function besideDimensions(view: MeasuredView): LayerMeasures {
  return Object.fromEntries(
    layerMeasureNames.filter((name) => name in view).map((name) => [name, view[name]]),
  );
}
