import { fillCells } from './cells.ts';
import type { Cell, FilledCell } from './cells.ts';
import type { Alignment, PrincipalAngles } from './pairs.ts';
import type { MeasureDefinition } from './table.ts';

/** A layer's states beside those of the layer before it, and beside the same layer of the text; null if there is none. */
export interface Compared<Value> {
  before: Value | null;
  real: Value | null;
}

/** What two matrices of states have in common; the names and fields of report.json. */
export interface Comparisons {
  cka: Compared<Alignment>;
  angles: Compared<PrincipalAngles>;
}
export type ComparisonName = keyof Comparisons;
/** Only where they are asked for. */
export type LayerComparisons = Partial<Comparisons>;

/** Every measure of two matrices, described as those of one are. */
const comparisonTable: {
  readonly [Name in ComparisonName]: Omit<MeasureDefinition<Comparisons[Name]>, 'needs' | 'cells'> & {
    readonly cells: readonly Cell<Comparisons[Name]>[];
  };
} = {
  cka: {
    formula: '‖AᵀB‖² / (‖AᵀA‖ ‖BᵀB‖), each minus its bias; row t of A with row t of B',
    source: 'Kornblith et al., arXiv 1905.00414; Song et al., JMLR 13',
    cells: [
      { key: 'cka_before', title: 'CKA before', decimals: 3, of: ({ before }) => before && before.debiased },
      { key: 'cka_real', title: 'CKA real', decimals: 3, of: ({ real }) => real && real.debiased },
    ],
  },
  angles: {
    formula: 'Σcos² / k of the angles between the first k = min(10, ranks) directions',
    source: 'Björck and Golub, Mathematics of Computation 27',
    cells: [
      {
        key: 'overlap_before',
        title: 'overlap before',
        decimals: 3,
        of: ({ before }) => before && before.overlap,
      },
      { key: 'overlap_real', title: 'overlap real', decimals: 3, of: ({ real }) => real && real.overlap },
    ],
  },
};

export const allComparisons = Object.keys(comparisonTable) as ComparisonName[];

/** The cells of a layer's comparisons, filled. */
export function comparisonCells(names: readonly ComparisonName[], layer: LayerComparisons): FilledCell[] {
  return names.flatMap((name) =>
    fillCells(comparisonTable[name].cells as readonly Cell<unknown>[], layer[name]),
  );
}

export function isComparison(name: string): name is ComparisonName {
  return (allComparisons as readonly string[]).includes(name);
}
