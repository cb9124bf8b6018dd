/** A field of a CSV file; null is an empty one. */
export type Field = string | number | null;

/** A column of a CSV file: its name, and its field in a row. */
export interface Column<Row> {
  readonly key: string;
  of(row: Row): Field;
}

/** A header and a line for each row, comma-separated, LF at every line's end, quoted where RFC 4180 asks for it. */
export function csvText<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const header = columns.map(({ key }) => key);
  const lines = rows.map((row) => columns.map((column) => column.of(row)));
  return [header, ...lines].map((fields) => `${fields.map(quoted).join(',')}\n`).join('');
}

function quoted(field: Field): string {
  const text = String(field ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
