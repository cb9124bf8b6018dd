/**
 * Columns of text, right-aligned under their headers, with two spaces between them and LF at every line's end. Headers
 * that are all empty take no line.
 * @param groups words that stand above runs of columns, such as [['', 1], ['real', 3]]
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  groups: readonly (readonly [title: string, columns: number])[] = [],
): string {
  const widths = header.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length),
  );
  const line = (cells: readonly string[]) =>
    `${cells.map((cell, column) => cell.padStart(widths[column]!)).join('  ')}\n`;
  let column = 0;
  const above = groups.map(([title, columns]) => {
    const span = widths.slice(column, column + columns).reduce((sum, width) => sum + width + 2, -2);
    column += columns;
    return title.padStart(span);
  });
  return [
    ...(groups.length > 0 ? [`${above.join('  ')}\n`] : []),
    ...(header.some((title) => title !== '') ? [line(header)] : []),
    ...rows.map(line),
  ].join('');
}
