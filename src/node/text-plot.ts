import { few } from '../analysis/quantities.ts';
import type { TerminalAbilities } from './terminal-abilities.ts';

/** A curve over layers 0, 1, 2 …; null leaves a gap. */
export interface PlottedCurve {
  readonly label: string;
  readonly values: readonly (number | null)[];
}

/** Letters in height, without the axis. */
const ROWS = 10;
/** A letter of braille has two columns and four rows of dots: https://www.unicode.org/charts/PDF/U2800.pdf */
const DOT_BITS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const NARROWEST = 30;
const WIDEST = 120;
/** Colours of the two curves, as in the figures: ANSI's cyan and yellow. */
const COLOURS = [36, 33] as const;
/** Dots of the second curve that are drawn, and that are left out. */
const DASH = { drawn: 3, period: 6 } as const;

/**
 * Two curves over layers in letters, from zero to the highest: the first solid, the second dashed; in braille, or in
 * ASCII if the terminal cannot show it.
 * @param title of what is measured
 * @returns lines with LF, none wider than the terminal; '' if it is too narrow, or if there is nothing to draw
 */
export function textPlot(
  title: string,
  curves: readonly [PlottedCurve, PlottedCurve],
  { columns, isUnicode, hasColour }: TerminalAbilities,
): string {
  const numbers = curves.flatMap(({ values }) => values.filter((value) => value !== null));
  const top = Math.max(...numbers);
  if (columns < NARROWEST || numbers.length === 0 || !(top > 0)) return '';
  const label = few(top);
  const width = Math.min(columns, WIDEST) - label.length - 4;
  const [across, down] = isUnicode ? [2, 4] : [1, 1];
  const cells = curves.map(({ values }, index) =>
    dotsOf(values, top, width * across, ROWS * down).filter(
      ([x]) => index === 0 || x % DASH.period < DASH.drawn,
    ),
  );
  const grid = Array.from({ length: ROWS }, () =>
    Array.from({ length: width }, () => ({ bits: 0, curve: -1 })),
  );
  // The first curve is drawn last, so that its colour and letter are shown where both meet.
  for (const index of [1, 0]) {
    for (const [x, y] of cells[index]!) {
      const cell = grid[ROWS - 1 - Math.floor(y / down)]![Math.floor(x / across)]!;
      cell.bits |= DOT_BITS[down - 1 - (y % down)]![x % across]!;
      cell.curve = index;
    }
  }
  const painted = (text: string, index: number) =>
    hasColour && index >= 0 ? `\u001b[${COLOURS[index]}m${text}\u001b[0m` : text;
  const letter = ({ bits, curve }: { bits: number; curve: number }) => {
    if (curve < 0) return ' ';
    return painted(isUnicode ? String.fromCodePoint(0x2800 + bits) : curve === 0 ? '*' : '.', curve);
  };
  const [tick, bar, corner, line] = isUnicode ? ['┤', '│', '└', '─'] : ['|', '|', '+', '-'];
  const last = String(Math.max(...curves.map(({ values }) => values.length)) - 1);
  const keys = isUnicode ? ['⠒⠒⠒', '⠒ ⠒'] : ['***', '. .'];
  const legend = curves.map((curve, index) => `${painted(keys[index]!, index)} ${curve.label}`).join('  ');
  const indent = ' '.repeat(label.length + 1);
  const rows = grid.map((cellsOfRow, row) => {
    const start = row === 0 ? `${label} ${tick}` : `${indent}${bar}`;
    return `${start}${cellsOfRow.map(letter).join('').trimEnd()}`;
  });
  return [
    title,
    `${indent} ${legend}`,
    ...rows,
    `${'0'.padStart(label.length)} ${corner}${line.repeat(width)}`,
    `${indent} 0${'layer'.padStart(Math.floor(width / 2) + 1)}${last.padStart(width - Math.floor(width / 2) - 2)}`,
    '',
  ].join('\n');
}

/** The dots of a curve on a raster, counted from the lower left, with straight lines between the layers. */
function dotsOf(
  values: readonly (number | null)[],
  top: number,
  width: number,
  height: number,
): [x: number, y: number][] {
  const intervals = Math.max(1, values.length - 1);
  const dots: [number, number][] = [];
  let before: number | undefined;
  for (let x = 0; x < width; x++) {
    const place = (intervals * x) / (width - 1);
    const left = Math.min(Math.floor(place), values.length - 1);
    const right = Math.min(left + 1, values.length - 1);
    const [from, to] = [values[left] ?? null, values[right] ?? null];
    const share = place - left;
    const value = from === null || (to === null && share > 0) ? null : from + share * ((to ?? from) - from);
    if (value === null) {
      before = undefined;
      continue;
    }
    const y = Math.round((value / top) * (height - 1));
    // A steep line goes through the dots between two columns.
    const start = before === undefined ? y : before + Math.sign(y - before);
    for (let at = start; ; at += Math.sign(y - at)) {
      dots.push([x, at]);
      if (at === y) break;
    }
    before = y;
  }
  return dots;
}
