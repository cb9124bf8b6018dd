/** Numbers as people read them: on the terminal, on the page and in figures. */

/** A byte count in decimal units with three figures, as disks and the hub count them: `1.52 GB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toPrecision(3)} ${units[power]}`;
}

/** A whole number in groups of three digits. */
export function grouped(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** How many there are of what: `1 layer`, `2,048 tokens`. @param one its word for a single one */
export function counted(count: number, one: string): string {
  return `${grouped(count)} ${one}${count === 1 ? '' : 's'}`;
}

/** A number with a fixed number of decimals and a true minus sign, for a column; a dash for null. */
export function fixed(value: number | null, decimals: number): string {
  return value === null ? '–' : value.toFixed(decimals).replace('-', '−');
}

/**
 * A percent as people read it, with one decimal; a dash for null. What is less than 100 but would round to it says so:
 * `> 99.9`.
 */
export function formatPercent(percent: number | null): string {
  if (percent === null) return '–';
  return percent < 100 && percent >= 99.95 ? '> 99.9' : percent.toFixed(1);
}

/** A number with a few significant digits, as a tooltip shows it; a dash for null. */
export function few(value: number | null, digits = 4): string {
  return value === null ? '–' : String(Number(value.toPrecision(digits))).replace('-', '−');
}
