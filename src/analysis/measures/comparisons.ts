import type { Alignment, PrincipalAngles } from './pairs.ts';
import { readMeasures } from './table.ts';
import type { Cell, MeasureDefinition, MeasureName } from './table.ts';

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
export function comparisonCells(
  names: readonly ComparisonName[],
  layer: LayerComparisons,
): {
  readonly key: string;
  readonly title: string;
  readonly decimals: number;
  readonly value: number | null;
}[] {
  return names.flatMap((name) => {
    const cells = comparisonTable[name].cells as readonly Cell<unknown>[];
    const value: unknown = layer[name];
    return cells.map(({ key, title, decimals, of }) => ({
      key,
      title,
      decimals,
      value: value === undefined ? null : of(value),
    }));
  });
}

/**
 * Reads what measures a profile is asked for: those of one matrix as `readMeasures` does, and `cka` and `angles` of two, which
 * `all` does not hold.
 * @throws InputError naming what is not known, and what may have been meant
 */
export function readMeasuresAndComparisons(text: string): (MeasureName | ComparisonName)[] {
  const words = text.split(',').map((word) => word.trim());
  const comparisons = allComparisons.filter((name) => words.includes(name));
  const others = words.filter((word) => !isComparison(word));
  return [...(others.length > 0 ? readMeasures(others.join()) : []), ...comparisons];
}

export function isComparison(name: string): name is ComparisonName {
  return (allComparisons as readonly string[]).includes(name);
}
