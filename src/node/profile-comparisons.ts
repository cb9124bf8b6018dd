import { comparisonCells, isComparison } from '../analysis/measures/comparisons.ts';
import { fixed } from '../analysis/quantities.ts';
import type { Report } from '../analysis/report.ts';
import { formatTable } from './table.ts';

/** A row for each layer and sequence: how alike its states are to the layer before, and to the text's. Empty where not asked. */
export function describeComparisons({ measured, sequences }: Report): string {
  const names = (measured?.measures ?? []).filter(isComparison);
  if (names.length === 0) return '';
  const titles = comparisonCells(names, {}).map(({ title }) => title);
  const rows = sequences.real.layers.flatMap(({ layer }) =>
    Object.entries(sequences).map(([sequence, { layers }]) => [
      String(layer),
      sequence,
      ...comparisonCells(names, layers[layer]!).map(({ value, decimals }) => fixed(value, decimals)),
    ]),
  );
  return (
    '\nStates compared with the layer before and with the same layer of the text: debiased CKA of their rows, and how far ' +
    `their first directions span the same (1: the same).\n\n${formatTable(['layer', '', ...titles], rows)}`
  );
}
