import type { TopLevelSpec } from 'vega-lite';
import { lineSeries, shaded } from './figure-bands.ts';
import type { ShadedPlace } from './figure-bands.ts';
import {
  frame,
  hoverRule,
  lineEncoding,
  noticeAt,
  pointEncoding,
  pointMark,
  runLine,
  tickFormat,
} from './figure-style.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import type { Figure } from './figure.ts';
import { few } from './quantities.ts';
import type { Report } from './report.ts';

/** Panels in a row. */
const COLUMNS = 2;

/** A number over the layers: a line for the text and one for its shuffles, and what is shaded under them. */
export interface Panel {
  readonly title: string;
  /** The title of its vertical axis; null if the panel's title says it. */
  readonly axis: string | null;
  readonly rows: readonly PanelRow[];
  readonly bands: readonly { readonly colour: string; readonly places: readonly ShadedPlace[] }[];
}

/** What an axis must reach. */
interface Drawn {
  readonly rows: readonly { readonly value: number | null }[];
  readonly bands: Panel['bands'];
}

export interface PanelRow {
  /** The label of its line, of `lineSeries`. */
  readonly series: string;
  readonly layer: number;
  readonly value: number | null;
}

/** Panels side by side, a legend for all of them. @param sharesScale whether their numbers can be compared by height */
export function panelsFigure(
  report: Report,
  { name, title, subtitle }: { readonly name: string; readonly title: string; readonly subtitle: string[] },
  panels: readonly Panel[],
  sharesScale: boolean,
): Figure {
  const shared = rangeOf(panels);
  const plots = panels.map((panel, index) => ({
    title: panel.title,
    layer: layersOf(report, panel, sharesScale ? shared : rangeOf([panel]), index),
  }));
  return { name, title, specification: plotsSideBySide(title, [runLine(report), ...subtitle], plots) };
}

/** A plot among others: its title, and what is drawn. */
export interface Plot {
  readonly title: string;
  /** A line under it. */
  readonly subtitle?: string;
  readonly layer: Layer[];
}

/** Plots of half the usual size side by side, under one title; they share one legend. */
export function plotsSideBySide(
  title: string,
  subtitle: readonly string[],
  plots: readonly Plot[],
): TopLevelSpec {
  const { width, height, ...common } = frame(title, subtitle);
  return {
    ...common,
    concat: plots.map((plot) => ({
      width: Number(width) * 0.5,
      height: Number(height) * 0.5,
      title: {
        text: plot.title,
        fontSize: 13,
        ...(plot.subtitle !== undefined && { subtitle: plot.subtitle }),
      },
      layer: plot.layer,
    })),
    columns: COLUMNS,
    spacing: { row: 40, column: 40 },
  };
}

/** From zero to a little over the highest number; below zero where numbers are. */
export function rangeOf(panels: readonly Drawn[]): [number, number] {
  const values = panels.flatMap(({ rows, bands }) => [
    ...rows.flatMap(({ value }) => (value === null ? [] : [value])),
    ...bands.flatMap(({ places }) => places.flatMap(({ low, high }) => [low, high])),
  ]);
  const [lowest, highest] = [Math.min(0, ...values), Math.max(0, ...values)];
  return [lowest * 1.05, highest === 0 && lowest === 0 ? 1 : highest * 1.05];
}

function layersOf(
  report: Report,
  { rows, bands, axis }: Panel,
  domain: [number, number],
  index: number,
): Layer[] {
  const { x, y } = layerAxes(report, axis, domain);
  const series = lineSeries(report);
  const values = rows.map((row) => ({ ...row }));
  const middle = { layer: report.model.layers / 2, value: (domain[0] + domain[1]) / 2 };
  return [
    ...bands.map(({ colour, places }) => shaded(places, x, y, colour)),
    { data: { values }, mark: { type: 'line' }, encoding: { x, y, ...lineEncoding(series) } },
    {
      data: { values: values.filter(({ value }) => value !== null) },
      mark: pointMark,
      encoding: { x, y, ...pointEncoding(series, 0.6) },
    },
    ...(values.every(({ value }) => value === null)
      ? [noticeAt('nothing varies here', { x, y }, middle)]
      : [layerHover(rows, `hovered${index}`)]),
  ];
}

/** The axes of a number over the layers. @param title of the vertical one; null if the panel's title says it */
export function layerAxes(
  report: Report,
  title: string | null,
  domain: [number, number],
): { x: PositionX; y: PositionY } {
  return {
    x: {
      field: 'layer',
      type: 'quantitative',
      title: 'Layer',
      scale: { domain: [0, Math.max(1, report.model.layers)], nice: false, padding: 10 },
      axis: { format: 'd', tickMinStep: 1, tickCount: 7, grid: false },
    },
    y: {
      field: 'value',
      type: 'quantitative',
      title,
      scale: { domain, nice: true },
      axis: { tickCount: 6, ...tickFormat(Math.max(-domain[0], domain[1])) },
    },
  };
}

/** What the pointer reads at a layer: the number of each line. */
function layerHover(rows: readonly PanelRow[], name: string): Layer {
  const labels = [...new Set(rows.map(({ series }) => series))];
  const places = [...new Set(rows.map(({ layer }) => layer))].map((layer) => {
    const numbers = labels.map((label, index) => {
      const row = rows.find((own) => own.layer === layer && own.series === label);
      return [`line${index}`, few(row?.value ?? null)] as const;
    });
    return { layer, ...Object.fromEntries(numbers) };
  });
  const lines = labels.map((label, index) => [label, `line${index}`] as const);
  return hoverRule(places, 'layer', [['Layer', 'layer'], ...lines], name);
}
