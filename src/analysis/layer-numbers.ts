import { measureNames } from './dimensions.ts';
import { allComparisons, comparisonCells } from './measures/comparisons.ts';
import type { ComparisonName } from './measures/comparisons.ts';
import type { TokenNorms } from './measures/diagnostics.ts';
import { layerMeasureNames } from './measures/layer-fields.ts';
import type { LayerMeasurements, LayerMeasureName, LayerMeasures } from './measures/layer-fields.ts';
import { cellsOf } from './measures/table.ts';

/** A number of a layer, and the name of its column in profile.csv and of its band in report.json. */
export interface LayerNumber {
  readonly key: string;
  readonly value: number | null;
  /** What tables and figures call a measure that was asked for; dimensions and norms have places of their own there. */
  readonly title?: string;
  /** Whether it is the number of a token or a dimension: a place, for which bands have no meaning. */
  readonly isPlace: boolean;
}

/** Norms of tokens, as columns. */
const norms = ['first', 'median', 'max', 'max_token'] as const satisfies readonly (keyof TokenNorms)[];

/** Fields that a layer may have besides its dimensions. All layers of a profile have the same ones. */
export interface LayerParts {
  readonly hasNorms: boolean;
  readonly measures: readonly LayerMeasureName[];
  readonly comparisons: readonly ComparisonName[];
}

export function partsOf(layer: Partial<LayerMeasurements>): LayerParts {
  return {
    hasNorms: layer.tokens !== undefined,
    measures: layerMeasureNames.filter((name) => layer[name] !== undefined),
    comparisons: allComparisons.filter((name) => layer[name] !== undefined),
  };
}

/**
 * The numbers of a layer in the order of the columns of profile.csv: its dimensions, the norms of its tokens, and the cells
 * of the measures that were asked for.
 * @param parts of the profile, so that a layer that lacks some has null for them
 */
export function layerNumbers(
  layer: Partial<LayerMeasurements>,
  { hasNorms, measures, comparisons }: LayerParts,
): LayerNumber[] {
  return [
    ...measureNames.map((key) => ({ key, value: layer[key] ?? null, isPlace: false })),
    ...(hasNorms
      ? norms.map((name) => ({
          key: `token_norm_${name}`,
          value: layer.tokens?.[name] ?? null,
          isPlace: name === 'max_token',
        }))
      : []),
    ...cellsOf(measures, [], layer as LayerMeasures),
    ...comparisonCells(comparisons, layer),
  ];
}
