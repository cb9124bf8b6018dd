import { parse, textMetrics, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { numberClipPaths, withoutHover } from '../analysis/figure-svg.ts';
import type { FigureSpecification } from '../analysis/figure.ts';

/** Where a figure is drawn, and what happens when the pointer meets it. */
export interface FigureStage {
  readonly container: HTMLElement;
  /** Called with the row under a click, as the specification's data has it. */
  readonly onClick: (row: Readonly<Record<string, unknown>>) => void;
  /** Called with the lines under the pointer, and where it is; undefined when there are none any more. */
  readonly onHover: (lines: Readonly<Record<string, string>> | undefined, event: MouseEvent) => void;
}

/** Draws a specification into the page; without eval, which the page's policy forbids. @returns what takes it away */
export async function drawFigure(
  specification: FigureSpecification,
  { container, onClick, onHover }: FigureStage,
): Promise<() => void> {
  const view = viewOf(specification, { renderer: 'svg', container });
  view.tooltip((_, event, __, value: Readonly<Record<string, string>> | null) => {
    onHover(value ?? undefined, event);
  });
  view.addEventListener('click', (_, item) => {
    const row = rowOf(item?.datum);
    if (row) onClick(row);
  });
  await view.runAsync();
  return () => {
    view.finalize();
    container.replaceChildren();
  };
}

/** One document after another: they set how Vega measures words, for all of the page. */
let lastSvg: Promise<unknown> = Promise.resolve();

/** A specification as an SVG document, exactly as the command writes it. */
export function figureSvg(specification: FigureSpecification): Promise<string> {
  const svg = lastSvg.then(() => writeSvg(specification));
  lastSvg = svg.catch(() => undefined);
  return svg;
}

async function writeSvg(specification: FigureSpecification): Promise<string> {
  // Without a canvas, Vega estimates the widths of words. It must do so here, too, for the same layout.
  textMetrics.canvas(false);
  const view = viewOf(withoutHover(specification), { renderer: 'none' });
  try {
    return numberClipPaths(await view.toSVG());
  } finally {
    view.finalize();
    textMetrics.canvas(true);
  }
}

function viewOf(
  specification: FigureSpecification,
  options: { readonly renderer: 'svg' | 'none'; readonly container?: HTMLElement },
): View {
  const { spec } = compile(specification as TopLevelSpec);
  return new View(parse(spec, undefined, { ast: true }), { ...options, expr: expressionInterpreter });
}

/** The nearest row is found through cells laid around the rows, whose datum holds the row's own. */
function rowOf(datum: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof datum !== 'object' || datum === null) return undefined;
  const inner = (datum as { readonly datum?: unknown }).datum;
  return rowOf(inner) ?? (datum as Readonly<Record<string, unknown>>);
}
