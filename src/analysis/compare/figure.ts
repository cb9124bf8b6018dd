import type { TopLevelSpec } from 'vega-lite';
import { plotsSideBySide } from '../figure-panels.ts';
import { frame, hoverRule, noticeAt, sequenceSeries } from '../figure-style.ts';
import type { Figure } from '../figure.ts';
import type { Encoding, Layer, PositionX, PositionY } from '../figure-style.ts';
import { few } from '../quantities.ts';
import { countedComponents } from '../threshold.ts';
import type { RunLabels } from './labels.ts';
import type { ComparedMeasure } from './measures.ts';
import type { SavedRun } from './run.ts';
import { isThresholdKey } from './with-threshold.ts';

/** What runs are laid over: the layer's number, or its share of all layers. */
export type Abscissa = 'layer' | 'depth';

/** What every figure of a comparison shares. */
export interface ComparedRuns extends RunLabels {
  readonly runs: readonly SavedRun[];
  /** Names of sequences to show. */
  readonly sequences: readonly string[];
  /** Names of views to show, `all` for the states as they are. */
  readonly views: readonly string[];
  readonly x: Abscissa;
}

/** Okabe and Ito, "Color Universal Design" (2002), without yellow, which white swallows. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000'];
/** Dashes of the sequences; the first is solid. */
const dashes = [...sequenceSeries.map(({ dash }) => [...dash]), [2, 3], [12, 3, 2, 3], [1, 5]];
const legend = {
  title: null,
  orient: 'bottom',
  symbolType: 'stroke',
  symbolSize: 500,
  symbolStrokeWidth: 2.5,
  // Not as pale as the bands, which share the colours.
  symbolOpacity: 1,
} as const;
/** Width of a letter in a legend, and of what stands before its text. */
const LETTER = 7.6;
const SYMBOL = 60;

/** A number of a run's layer, at its place on the x axis. */
interface Point {
  readonly run: string;
  readonly sequence: string;
  readonly x: number;
  readonly layer: number;
  readonly value: number | null;
}

/** From where to where many sequences of a run reach at a place. */
interface Reach {
  readonly run: string;
  readonly group: string;
  readonly x: number;
  readonly value: number;
  readonly top: number;
}

/**
 * A measure of all runs, laid over their layers: a colour for each run, and dashes for each sequence. Several views stand
 * side by side on one scale.
 */
export function comparedFigure(compared: ComparedRuns, { key, title }: ComparedMeasure): Figure {
  const { runs, shared, sequences, views, x } = compared;
  const panels = views.map((view) => ({
    view,
    points: pointsOf(compared, key, view),
    reaches: reachesOf(compared, key, view),
  }));
  const layers = Math.max(1, ...runs.map(({ report }) => report.model.layers));
  const values = panels.flatMap(({ points, reaches }) => [
    ...points.map(({ value }) => value),
    ...reaches.map(({ top }) => top),
  ]);
  const across = axisOf(x, layers, views.length > 1);
  const up = valueAxis(key, title, values, views.length > 1);
  const encoding: Encoding = { x: across, y: up };
  const middle = { x: x === 'layer' ? layers / 2 : 0.5, value: Math.max(0, ...known(values)) / 2 };
  const [only] = views;
  const hasBands = panels.some(({ reaches }) => reaches.length > 0);
  const subtitle = [
    [
      ...shared,
      ...(sequences.length === 1 ? sequences : []),
      ...(views.length === 1 && only !== 'all' ? [only!.replaceAll('_', ' ')] : []),
    ].join(' · '),
    ...(isThresholdKey(key) ? thresholdWords(runs) : []),
    ...(hasBands ? ['bands: from the lowest to the highest of many sequences'] : []),
  ];
  const plots = panels.map(({ view, points, reaches }, index) => ({
    title: view.replaceAll('_', ' '),
    layer: [
      ...bandLayers(compared, reaches, encoding),
      ...lineLayers(compared, points, encoding, layers > 30),
      ...(x === 'layer' ? [hover(compared, points, `hovered${index}`)] : []),
      ...(points.some(({ value }) => value !== null)
        ? []
        : [noticeAt('no run has a number here', { x: across, y: up }, middle)]),
    ],
  }));
  const heading = `${title} of each layer`;
  const under = subtitle.filter(Boolean);
  const specification: TopLevelSpec =
    plots.length === 1
      ? { ...frame(heading, under), layer: plots[0]!.layer }
      : plotsSideBySide(heading, under, plots);
  return { name: key.replaceAll('_', '-'), title, specification };
}

function pointsOf({ runs, labels, sequences, x }: ComparedRuns, key: string, view: string): Point[] {
  return runs.flatMap((run, index) =>
    sequences.flatMap((sequence) =>
      (run.report.sequences.get(sequence)?.views.get(view) ?? []).map(({ layer, numbers }) => ({
        run: labels[index]!,
        sequence,
        x: placeOf(run, layer, x),
        layer,
        value: numbers[key] ?? null,
      })),
    ),
  );
}

/** The range of many sequences, where a run has one of a sequence that is shown. The text's own curve has none. */
function reachesOf({ runs, labels, sequences, x }: ComparedRuns, key: string, view: string): Reach[] {
  const shown = sequences.filter((name) => name !== 'real');
  return runs.flatMap((run, index) =>
    [...run.report.bands].flatMap(([group, { sequences: members, views }]) => {
      if (!members.some((name) => shown.includes(name))) return [];
      return (views.get(view) ?? []).flatMap(({ layer, numbers }) => {
        const band = numbers.get(key);
        const place = { run: labels[index]!, group, x: placeOf(run, layer, x) };
        return band ? [{ ...place, value: band.min, top: band.max }] : [];
      });
    }),
  );
}

function bandLayers(compared: ComparedRuns, reaches: readonly Reach[], encoding: Encoding): Layer[] {
  return [...new Set(reaches.map(({ group }) => group))].map((group): Layer => ({
    data: { values: reaches.filter((reach) => reach.group === group) },
    mark: { type: 'area', opacity: 0.18 },
    encoding: { ...encoding, y2: { field: 'top' }, ...colourOf(compared) },
  }));
}

function lineLayers(
  compared: ComparedRuns,
  points: readonly Point[],
  encoding: Encoding,
  isMany: boolean,
): Layer[] {
  const { sequences } = compared;
  const colour = colourOf(compared);
  return [
    {
      data: { values: [...points] },
      mark: { type: 'line', strokeWidth: 2 },
      encoding: { ...encoding, ...colour, ...dashOf(sequences) },
    },
    ...sequences.map((sequence, index): Layer => {
      const own = points.filter((point) => point.sequence === sequence);
      const mark = { type: 'point', size: isMany ? 12 : 36, strokeWidth: 1.5, opacity: 1 } as const;
      return {
        data: { values: own },
        mark: index === 0 ? { ...mark, filled: true } : { ...mark, filled: false, fill: 'white' },
        encoding: { ...encoding, ...colour },
      };
    }),
  ];
}

function colourOf({ runs, labels }: ComparedRuns): Encoding {
  return {
    color: {
      field: 'run',
      type: 'nominal',
      sort: null,
      scale: {
        domain: [...labels],
        ...(labels.length <= palette.length
          ? { range: palette.slice(0, labels.length) }
          : { scheme: { name: 'viridis', extent: [0, 0.92] } }),
      },
      legend: runs.length === 1 ? null : { ...legend, columns: legendColumns(labels) },
    },
  };
}

function dashOf(sequences: readonly string[]): Encoding {
  return {
    strokeDash: {
      field: 'sequence',
      type: 'nominal',
      sort: null,
      scale: {
        domain: [...sequences],
        range: sequences.map((_, index) => [...dashes[index % dashes.length]!]),
      },
      legend: sequences.length === 1 ? null : legend,
    },
  };
}

/** Where a layer stands on the x axis. */
export function placeOf({ report }: SavedRun, layer: number, x: Abscissa): number {
  return x === 'layer' ? layer : layer / Math.max(1, report.model.layers);
}

/** @param isSmall whether the plot is too narrow for more than a word */
function axisOf(x: Abscissa, layers: number, isSmall: boolean): PositionX {
  const common = { field: 'x', type: 'quantitative' } as const;
  return x === 'layer'
    ? {
        ...common,
        title: 'Layer',
        scale: { domain: [0, Math.max(1, layers)], nice: false, padding: 10 },
        axis: { format: 'd', tickMinStep: 1, grid: false },
      }
    : {
        ...common,
        title: isSmall ? 'Relative depth' : 'Relative depth: layer / layers of the model',
        scale: { domain: [0, 1], nice: false, padding: 10 },
        axis: { format: '.1f', tickCount: 10, grid: false },
      };
}

/** @param isShared whether panels that know nothing of each other have this axis */
function valueAxis(
  key: string,
  title: string,
  given: readonly (number | null)[],
  isShared: boolean,
): PositionY {
  const values = known(given);
  const isPercent = key === 'percent_of_rank' || key === 'notebook_percent' || key === 'top_percent';
  const isWhole = values.every((value) => Number.isInteger(value));
  const [lowest, highest] = [Math.min(0, ...values), Math.max(0, ...values)];
  const range: [number, number] = [lowest, lowest === highest ? 1 : highest];
  return {
    field: 'value',
    type: 'quantitative',
    title,
    // From zero: closely framed, a small difference would look like a cliff.
    scale: isPercent
      ? { domain: [0, Math.max(100, ...values)] }
      : isShared
        ? { domain: range, nice: true }
        : { zero: true, nice: true },
    axis: isWhole ? { format: 'd', tickMinStep: 1, tickCount: 8 } : { tickCount: 8 },
  };
}

const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);

function thresholdWords(runs: readonly SavedRun[]): string[] {
  const thresholds = new Set(runs.map(({ report }) => report.threshold));
  return thresholds.size === 1
    ? [countedComponents(runs[0]!.report.threshold)]
    : ['at different thresholds: the heights of the curves are not comparable'];
}

function hover({ labels, sequences }: ComparedRuns, points: readonly Point[], name: string): Layer {
  const rows = [...new Set(points.map((point) => point.x))].map((x) => ({
    x,
    layer: String(x),
    ...Object.fromEntries(
      labels.map((label, index) => {
        const values = sequences.map((sequence) => {
          const point = points.find((own) => own.x === x && own.run === label && own.sequence === sequence);
          return point && `${few(point.value)}${sequences.length > 1 ? ` ${sequence}` : ''}`;
        });
        return [`run${index}`, values.filter(Boolean).join(', ') || '–'];
      }),
    ),
  }));
  const lines = labels.map((label, index) => [label, `run${index}`] as const);
  return hoverRule(rows, 'x', [['Layer', 'layer'], ...lines], name);
}

/** As many names beside each other as have room. */
function legendColumns(labels: readonly string[]): number {
  const longest = Math.max(...labels.map((label) => label.length));
  return Math.max(1, Math.min(labels.length, Math.floor(640 / (SYMBOL + LETTER * longest))));
}
