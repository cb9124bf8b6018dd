import type { TopLevelSpec } from 'vega-lite';
import { frame, hoverRule, notice, sequenceSeries } from '../figure-style.ts';
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
} as const;
/** Width of a letter in a legend, and of what stands before its text. */
const LETTER = 7.6;
const SYMBOL = 60;

/** A measure of all runs, laid over their layers: a colour for each run, and dashes for each sequence. */
export function comparedFigure(compared: ComparedRuns, { key, title }: ComparedMeasure): Figure {
  const { runs, labels, shared, sequences, x } = compared;
  const points = runs.flatMap((run, index) =>
    sequences.flatMap((sequence) =>
      (run.report.sequences.get(sequence)?.views.get('all') ?? []).map(({ layer, numbers }) => ({
        run: labels[index]!,
        sequence,
        x: placeOf(run, layer, x),
        layer,
        value: numbers[key] ?? null,
      })),
    ),
  );
  const [longest = 1, ...depths] = [...new Set(runs.map(({ report }) => report.model.layers))];
  const encoding: Encoding = {
    x: axisOf(x, Math.max(longest, ...depths)),
    y: valueAxis(key, title, points),
  };
  const columns = legendColumns(labels);
  const colour: Encoding = {
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
      legend: runs.length === 1 ? null : { ...legend, columns },
    },
  };
  const dash: Encoding = {
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
  const many = Math.max(longest, ...depths) > 30;
  const counted = isThresholdKey(key) ? thresholdWords(runs) : [];
  const bands = bandLayers(compared, key, encoding, colour);
  const subtitle = [
    [...shared, ...(sequences.length === 1 ? sequences : [])].join(' · '),
    ...counted,
    ...(bands.length > 0 ? ['bands: from the lowest to the highest of many sequences'] : []),
  ];
  const specification: TopLevelSpec = {
    ...frame(`${title} of each layer`, subtitle.filter(Boolean)),
    layer: [
      ...bands,
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 2 },
        encoding: { ...encoding, ...colour, ...dash },
      },
      ...sequences.map((sequence, index): Layer => {
        const own = points.filter((point) => point.sequence === sequence);
        const mark = { type: 'point', size: many ? 12 : 36, strokeWidth: 1.5, opacity: 1 } as const;
        return {
          data: { values: own },
          mark: index === 0 ? { ...mark, filled: true } : { ...mark, filled: false, fill: 'white' },
          encoding: { ...encoding, ...colour },
        };
      }),
      ...(x === 'layer' ? [hover(compared, points)] : []),
      ...(points.some(({ value }) => value !== null) ? [] : [notice('no run has a number here')]),
    ],
  };
  return { name: key.replaceAll('_', '-'), title, specification };
}

/** Where a layer stands on the x axis. */
export function placeOf({ report }: SavedRun, layer: number, x: Abscissa): number {
  return x === 'layer' ? layer : layer / Math.max(1, report.model.layers);
}

function axisOf(x: Abscissa, layers: number): PositionX {
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
        title: 'Relative depth: layer / layers of the model',
        scale: { domain: [0, 1], nice: false, padding: 10 },
        axis: { format: '.1f', tickCount: 10, grid: false },
      };
}

function valueAxis(key: string, title: string, points: readonly { value: number | null }[]): PositionY {
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]));
  const isPercent = key === 'percent_of_rank' || key === 'notebook_percent' || key === 'top_percent';
  const isWhole = values.every((value) => Number.isInteger(value));
  return {
    field: 'value',
    type: 'quantitative',
    title,
    // From zero: closely framed, a small difference would look like a cliff.
    scale: isPercent ? { domain: [0, Math.max(100, ...values)] } : { zero: true, nice: true },
    axis: isWhole ? { format: 'd', tickMinStep: 1, tickCount: 8 } : { tickCount: 8 },
  };
}

function thresholdWords(runs: readonly SavedRun[]): string[] {
  const thresholds = new Set(runs.map(({ report }) => report.threshold));
  return thresholds.size === 1
    ? [countedComponents(runs[0]!.report.threshold)]
    : ['at different thresholds: the heights of the curves are not comparable'];
}

/** The range of many sequences, where a run has one of a sequence that is shown. The text's own curve has none. */
function bandLayers(
  { runs, labels, sequences, x }: ComparedRuns,
  key: string,
  encoding: Encoding,
  colour: Encoding,
): Layer[] {
  const shown = sequences.filter((name) => name !== 'real');
  const bands = runs.flatMap((run, index) =>
    [...run.report.bands].flatMap(([group, { sequences: members, layers }]) => {
      if (!members.some((name) => shown.includes(name))) return [];
      return layers.flatMap(({ layer, numbers }) => {
        const band = numbers.get(key);
        const place = { run: labels[index]!, group, x: placeOf(run, layer, x) };
        return band ? [{ ...place, value: band.min, top: band.max }] : [];
      });
    }),
  );
  return [...new Set(bands.map(({ group }) => group))].map((group): Layer => ({
    data: { values: bands.filter((band) => band.group === group) },
    mark: { type: 'area', opacity: 0.18 },
    encoding: { ...encoding, y2: { field: 'top' }, ...colour },
  }));
}

function hover(
  { labels, sequences }: ComparedRuns,
  points: readonly { run: string; sequence: string; x: number; value: number | null }[],
): Layer {
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
  return hoverRule(rows, 'x', [
    ['Layer', 'layer'],
    ...labels.map((label, index) => [label, `run${index}`] as const),
  ]);
}

/** As many names beside each other as have room. */
function legendColumns(labels: readonly string[]): number {
  const longest = Math.max(...labels.map((label) => label.length));
  return Math.max(1, Math.min(labels.length, Math.floor(640 / (SYMBOL + LETTER * longest))));
}
