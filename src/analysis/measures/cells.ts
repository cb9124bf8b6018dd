/** A number or a word of a measure, as tables and CSV files show it. */
export interface Cell<Value> {
  /** The name of its column in a CSV file. */
  readonly key: string;
  /** The head of its column in a table. */
  readonly title: string;
  readonly decimals: number;
  /** Whether it is the number of a token or a dimension: a place, for which bands have no meaning. */
  readonly isPlace?: boolean;
  of(value: Value): number | null;
}

/** A number of a row, and the head of its column. */
export interface FilledCell {
  readonly key: string;
  readonly title: string;
  readonly decimals: number;
  readonly isPlace: boolean;
  readonly value: number | null;
}

/** The cells of a measure; they are empty if it was not measured. */
export function fillCells(cells: readonly Cell<unknown>[], value: unknown): FilledCell[] {
  return cells.map(({ key, title, decimals, isPlace = false, of }) => ({
    key,
    title,
    decimals,
    isPlace,
    value: value === undefined ? null : of(value),
  }));
}
