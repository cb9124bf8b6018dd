import type { LayerDimensions } from '../dimensions.ts';
import type { LayerComparisons } from './comparisons.ts';
import type { Outliers, TokenNorms } from './diagnostics.ts';
import { allMeasures } from './table.ts';
import type { MeasureName, Measures } from './table.ts';

/** Fields that a layer's dimensions have already, and fields as long as the spectrum, which have a file of their own. */
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

/** A measure that a layer of a report may have besides its dimensions. */
export type LayerMeasureName = Exclude<MeasureName, (typeof elsewhere)[number]>;
export type LayerMeasures = Partial<Pick<Measures, LayerMeasureName>>;

/** In the order of the table. */
export const layerMeasureNames = allMeasures.filter((name): name is LayerMeasureName => {
  const others: readonly MeasureName[] = elsewhere;
  return !others.includes(name);
});

/** Those that every layer of a profile has, whatever is asked for: they explain the others. */
export const usualMeasures = ['component_1', 'first_token_share'] as const satisfies readonly MeasureName[];

/** A layer's dimensions, and what else is measured of it. */
export interface LayerMeasurements extends LayerDimensions, LayerMeasures, LayerComparisons {
  tokens?: TokenNorms;
  /** Only where views are asked for. */
  outliers?: Outliers;
}

/** A layer in another view: as `all`, or without rows or columns, or measured. */
export type ViewLayer =
  { same_as: 'all' } | ({ rows: number; columns: number } & Partial<LayerDimensions> & LayerMeasures);
