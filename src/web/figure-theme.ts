import type { TopLevelSpec } from 'vega-lite';
import type { Figure } from '../analysis/figures.ts';
import { colours, gridGrey, grey } from '../analysis/figure-style.ts';

/** How the page shows figures: their width in pixels, and the colour scheme. */
export interface FigureTheme {
  readonly width: number;
  readonly isDark: boolean;
}

/** Under this width, in pixels, a figure is lower and its legend stands in one column. */
const NARROW = 480;

const darkColours = new Map<unknown, string>([
  [colours.real, '#4aa8e0'],
  [colours.shuffled, '#ff8a4c'],
  [colours.realShare, '#a4d8f5'],
  [colours.shuffledShare, '#ffc94d'],
  [grey, '#a8a8a8'],
  [gridGrey, '#3a3a3a'],
  ['#000000', '#f0f0f0'],
  ['white', 'transparent'],
]);

/** Beside and between panels: axis labels and spacing. */
const PANEL_MARGIN = 72;

/** Panels side by side as wide as there is room for. */
function panelsOf(
  { concat }: Extract<TopLevelSpec, { concat: unknown }>,
  width: number,
  columns: number,
): object {
  const panel = { width: Math.max(120, Math.floor(width / columns) - PANEL_MARGIN), height: 200 };
  return { concat: concat.map((inner) => ({ ...inner, ...panel })), columns };
}

/**
 * A figure's specification for the page: as wide as there is room, in the page's colours, and without title and
 * subtitle, which stand beside it as text that can wrap.
 */
export function themed({ specification }: Figure, { width, isDark }: FigureTheme): TopLevelSpec {
  const isNarrow = width < NARROW;
  const restyle = (value: unknown, key: string): unknown => {
    if (Array.isArray(value)) return value.map((element) => restyle(element, ''));
    if (typeof value !== 'object' || value === null)
      return isDark ? (darkColours.get(value) ?? value) : value;
    if (key === 'data') return value;
    const entries = Object.entries(value).map(([name, inner]) => [name, restyle(inner, name)]);
    const restyled = Object.fromEntries(entries) as Record<string, unknown>;
    return key === 'legend' && isNarrow ? { ...restyled, columns: 1 } : restyled;
  };
  const restyled = restyle(specification, '') as TopLevelSpec;
  delete restyled.title;
  const ink = isDark ? '#e6e6e6' : '#1c1c1c';
  const { config = {} } = restyled;
  return {
    ...restyled,
    ...('concat' in restyled
      ? panelsOf(restyled, width, isNarrow ? 1 : 2)
      : {
          width,
          height: isNarrow ? 280 : 360,
          autosize: { type: 'fit-x', contains: 'padding' },
        }),
    padding: 4,
    background: 'transparent',
    config: {
      ...config,
      font: 'system-ui, sans-serif',
      axis: {
        ...config.axis,
        labelColor: ink,
        titleColor: ink,
        ...(isNarrow && { titleFontSize: 12, labelFontSize: 11, labelOverlap: 'greedy', labelSeparation: 4 }),
      },
      legend: {
        ...config.legend,
        labelColor: ink,
        // Two legends stand one under the other: side by side they would shrink the drawing.
        ...(isNarrow && { layout: { bottom: { direction: 'vertical' } } }),
      },
      title: { ...config.title, color: ink },
    },
  } as TopLevelSpec;
}
