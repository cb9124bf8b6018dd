import { fillCells } from './cells.ts';
import type { Cell, FilledCell } from './cells.ts';
import type { Component } from './component.ts';
import type { PromptEntropy } from './entropy.ts';
import type { Neighbours } from './neighbours.ts';
import type { PowerLaw } from './spectral.ts';

/** What is measured of a view; the names and fields of report.json and of `spectrum --json`. */
export interface Measures {
  singular_values: number[];
  cumulative_percent: number[];
  /** One for each threshold. */
  effective_dimension: number[];
  rank: number;
  rank_tolerance: number;
  near_rank_tolerance: number;
  variance: number | null;
  mean_over_spread: number | null;
  top_percent: number | null;
  participation_ratio: number | null;
  entropy_rank: number | null;
  stable_rank: number | null;
  isoscore: number | null;
  rankme: number | null;
  alpha_req: PowerLaw | null;
  component_1: Component | null;
  first_token_share: number | null;
  mean_cosine: { uncentred: number | null; centred: number | null };
  prompt_entropy: PromptEntropy;
  neighbours: Neighbours;
}
export type MeasureName = keyof Measures;

export interface MeasureDefinition<Value> {
  readonly formula: string;
  readonly source: string;
  /** The singular values; these and the states, for vectors; the states alone. */
  readonly needs: 'spectrum' | 'vectors' | 'states';
  /** Other words for it, or for what it holds, in --measures. */
  readonly aliases?: readonly string[];
  /** The numbers that a row of a table shows; long lists have none. */
  readonly cells: readonly Cell<Value>[] | ((thresholds: readonly number[]) => readonly Cell<Value>[]);
}

const golubVanLoan = 'Golub and Van Loan, Matrix Computations';

/** A measure that is one number. */
function scalar(
  key: string,
  title: string,
  decimals: number,
): { readonly cells: readonly Cell<number | null>[] } {
  return { cells: [{ key, title, decimals, of: (value) => value }] };
}

/**
 * Every measure of a view: what chooses, prints and explains them reads this one table. What computes them stands in
 * compute.ts, so that a page that only shows them need not load it.
 */
export const measureTable: { readonly [Name in MeasureName]: MeasureDefinition<Measures[Name]> } = {
  singular_values: {
    formula: 'σ₁ ≥ σ₂ ≥ … of the centred view',
    source: golubVanLoan,
    needs: 'spectrum',
    cells: [],
  },
  cumulative_percent: {
    formula: '100 · (σ₁² + … + σ_k²) / Σσ²',
    source: 'Jolliffe, Principal Component Analysis',
    needs: 'spectrum',
    cells: [],
  },
  effective_dimension: {
    formula: 'the smallest k whose cumulative percent exceeds the threshold, for each threshold',
    source: 'Jolliffe, Principal Component Analysis',
    needs: 'spectrum',
    cells: (thresholds) =>
      thresholds.map((threshold, index) => ({
        key: `effective_dimension_${threshold}`,
        title: `> ${threshold}%`,
        decimals: 0,
        of: (dimensions) => dimensions[index]!,
      })),
  },
  rank: {
    formula: 'how many σ > σ₁ · max(T, d) · 2⁻²³',
    source: 'torch.linalg.matrix_rank',
    needs: 'spectrum',
    ...scalar('rank', 'rank', 0),
  },
  rank_tolerance: {
    formula: 'σ₁ · max(T, d) · 2⁻²³',
    source: 'torch.linalg.matrix_rank',
    needs: 'spectrum',
    cells: [],
  },
  near_rank_tolerance: {
    formula: 'how many σ lie within a factor 2 of the rank tolerance',
    source: 'Laminar',
    needs: 'spectrum',
    cells: [],
  },
  variance: {
    formula: 'Σσ²',
    source: golubVanLoan,
    needs: 'spectrum',
    cells: [],
  },
  mean_over_spread: {
    formula: '‖view‖ / ‖centred view‖, Frobenius: what centring cancels',
    source: 'Laminar',
    needs: 'states',
    ...scalar('mean_over_spread', 'mean/spread', 2),
  },
  top_percent: {
    formula: '100 · σ₁² / Σσ²',
    source: 'Jolliffe, Principal Component Analysis',
    needs: 'spectrum',
    ...scalar('top_percent', 'top %', 1),
  },
  participation_ratio: {
    formula: '(Σσ²)² / Σσ⁴',
    source: 'Gao et al., bioRxiv 214262',
    needs: 'spectrum',
    ...scalar('participation_ratio', 'participation', 1),
  },
  entropy_rank: {
    formula: 'exp(−Σ p ln p), p = σ² / Σσ²',
    source: 'Roy and Vetterli, EUSIPCO 2007, of σ²',
    needs: 'spectrum',
    ...scalar('entropy_rank', 'entropy', 1),
  },
  stable_rank: {
    formula: 'Σσ² / σ₁²',
    source: 'Rudelson and Vershynin, arXiv math/0503442',
    needs: 'spectrum',
    ...scalar('stable_rank', 'stable', 2),
  },
  isoscore: {
    formula: '(participation ratio − 1) / (d − 1)',
    source: 'Rudman et al., arXiv 2108.07344',
    needs: 'spectrum',
    ...scalar('isoscore', 'IsoScore', 4),
  },
  rankme: {
    formula: 'exp(−Σ q ln q), q = σ / Σσ + 10⁻⁷',
    source: 'Garrido et al., arXiv 2210.02885',
    needs: 'spectrum',
    ...scalar('rankme', 'RankMe', 1),
  },
  alpha_req: {
    formula: 'minus the slope of ln σ_i² on ln i, i = 12 … min(100, ⌊min(T, d) / 2⌋)',
    source: 'Agrawal et al., NeurIPS 2022',
    needs: 'spectrum',
    aliases: ['alpha'],
    cells: [
      { key: 'alpha', title: 'α-ReQ', decimals: 3, of: (fit) => fit && fit.alpha },
      { key: 'alpha_r2', title: 'R²', decimals: 3, of: (fit) => fit && fit.r2 },
    ],
  },
  component_1: {
    formula: 'σ₁² / Σσ², and the largest u₁² (tokens) and v₁² (dimensions)',
    source: golubVanLoan,
    needs: 'vectors',
    cells: [
      { key: 'component_1_share', title: 'PC1', decimals: 3, of: (first) => first && first.share },
      {
        key: 'component_1_token',
        title: 'PC1 token',
        decimals: 0,
        isPlace: true,
        of: (first) => first?.tokens[0]?.token ?? null,
      },
      {
        key: 'component_1_token_share',
        title: 'its share',
        decimals: 3,
        of: (first) => first?.tokens[0]?.share ?? null,
      },
      {
        key: 'component_1_dimension',
        title: 'PC1 dim',
        decimals: 0,
        isPlace: true,
        of: (first) => first?.dimensions[0]?.dimension ?? null,
      },
      {
        key: 'component_1_dimension_share',
        title: 'its share',
        decimals: 3,
        of: (first) => first?.dimensions[0]?.share ?? null,
      },
    ],
  },
  first_token_share: {
    formula: '‖c₀‖² / Σ‖c_i‖² of the centred rows',
    source: 'Laminar',
    needs: 'states',
    ...scalar('first_token_share', 'token 0 share', 3),
  },
  mean_cosine: {
    formula: '(‖Σ unit rows‖² − n) / (n (n − 1))',
    source: 'Ethayarajh, arXiv 1909.00512',
    needs: 'states',
    aliases: ['cosine'],
    cells: [
      { key: 'mean_cosine', title: 'cosine', decimals: 3, of: ({ uncentred }) => uncentred },
      { key: 'mean_cosine_centred', title: 'cos centred', decimals: 3, of: ({ centred }) => centred },
    ],
  },
  prompt_entropy: {
    formula: '−Σ e ln e and −ln Σ e² over the eigenvalues e of ZZᵀ / n, Z the rows over their norms',
    source: 'Skean et al., arXiv 2502.02013',
    needs: 'states',
    aliases: ['von_neumann', 'renyi_2'],
    cells: [
      {
        key: 'prompt_entropy',
        title: 'prompt nats',
        decimals: 2,
        of: ({ uncentred }) => uncentred && uncentred.von_neumann,
      },
      {
        key: 'prompt_entropy_centred',
        title: 'nats centred',
        decimals: 2,
        of: ({ centred }) => centred && centred.von_neumann,
      },
    ],
  },
  neighbours: {
    formula: 'TwoNN, Gride and maximum likelihood from the distances to nearest neighbours',
    source: 'Facco et al. 2017; Denti et al. 2022; Levina and Bickel 2004',
    needs: 'states',
    aliases: ['twonn', 'gride', 'mle'],
    cells: [
      { key: 'points', title: 'points', decimals: 0, of: ({ points }) => points },
      { key: 'twonn', title: 'TwoNN', decimals: 1, of: ({ twonn }) => twonn && twonn.fitted },
      ...[1, 8, 32].map((n1): Cell<Neighbours> => ({
        key: `gride_${n1}`,
        title: `Gride ${n1}`,
        decimals: 1,
        of: ({ gride }) => gride?.find((point) => point.n1 === n1)?.dimension ?? null,
      })),
      { key: 'mle', title: 'MLE', decimals: 1, of: ({ mle }) => mle && mle.dimension },
    ],
  },
};

export const allMeasures = Object.keys(measureTable) as MeasureName[];

/** Whether any of these measures reads the spectrum. */
export function needSpectrum(names: readonly MeasureName[]): boolean {
  return names.some((name) => measureTable[name].needs !== 'states');
}

/**
 * A row of a table or a CSV file: the cells of the chosen measures, filled from a view's answer.
 * @param thresholds of the answer's effective dimensions
 */
export function cellsOf(
  names: readonly MeasureName[],
  thresholds: readonly number[],
  answer: Partial<Measures>,
): FilledCell[] {
  return names.flatMap((name) => {
    const { cells } = measureTable[name] as MeasureDefinition<unknown>;
    return fillCells(typeof cells === 'function' ? cells(thresholds) : cells, answer[name]);
  });
}
