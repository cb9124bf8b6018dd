import { inSlices } from '../../engine/abort.ts';
import { cumulativePercent, effectiveDimension } from '../dimensions.ts';
import { timesPowerOfTwo } from '../measure-matrices.ts';
import { rowNorms } from '../views.ts';
import { sumOfSquares } from './centred.ts';
import { firstComponentSteps, firstRowShare } from './component.ts';
import { measureNeighbours } from './neighbours.ts';
import { meanCosine } from './rows.ts';
import { isoScore, powerLaw, rankMe, variance } from './spectral.ts';
import type { MeasureName, Measures } from './table.ts';
import type { ViewState } from './view-state.ts';

/** What computes each measure of the table. */
export const computeMeasure: {
  readonly [Name in MeasureName]: (state: ViewState) => Measures[Name] | Promise<Measures[Name]>;
} = {
  singular_values: ({ spectrum }) => Array.from(spectrum.singularValues),

  cumulative_percent: ({ spectrum }) => Array.from(cumulativePercent(spectrum.singularValues)),

  effective_dimension: ({ spectrum, options }) => {
    const { singularValues, dimensions } = spectrum;
    const cumulative = cumulativePercent(singularValues);
    return options.thresholds.map((threshold) =>
      dimensions.rank === 0 ? 0 : effectiveDimension(cumulative, threshold),
    );
  },

  rank: ({ spectrum }) => spectrum.dimensions.rank,

  rank_tolerance: ({ spectrum }) => spectrum.dimensions.rank_tolerance,

  near_rank_tolerance: ({ spectrum }) => spectrum.dimensions.near_rank_tolerance,

  variance: ({ spectrum }) => finite(variance(spectrum.singularValues)),

  mean_over_spread: ({ view, numbers, centred }) => {
    const spread = timesPowerOfTwo(Math.sqrt(sumOfSquares(centred)), numbers.exponent);
    const [norm] = rowNorms(rowNorms(view.values(), view.columns), view.rows);
    return spread > 0 ? finite(norm! / spread) : null;
  },

  top_percent: ({ spectrum }) => spectrum.dimensions.top_percent,

  participation_ratio: ({ spectrum }) => spectrum.dimensions.participation_ratio,

  entropy_rank: ({ spectrum }) => spectrum.dimensions.entropy_rank,

  stable_rank: ({ spectrum }) => spectrum.dimensions.stable_rank,

  isoscore: ({ spectrum, view }) => isoScore(spectrum.dimensions.participation_ratio, view.columns),

  rankme: ({ spectrum }) => rankMe(spectrum.singularValues),

  alpha_req: ({ spectrum }) => powerLaw(spectrum.singularValues, spectrum.dimensions.rank_tolerance),

  component_1: ({ spectrum, centred, view, options }) =>
    inSlices(
      firstComponentSteps(centred, view.rows, view.columns, spectrum.singularValues, view),
      options.signal,
    ),

  first_token_share: ({ centred, view }) =>
    view.firstToken > 0 ? null : firstRowShare(centred, view.columns),

  mean_cosine: (state) => ({
    uncentred: meanCosine(state.directions, state.view.columns),
    centred: meanCosine(state.centredDirections, state.view.columns),
  }),

  prompt_entropy: ({ entropy }) => entropy,

  neighbours: (state) => measureNeighbours(state),
};

/** null for what exceeds float64. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
