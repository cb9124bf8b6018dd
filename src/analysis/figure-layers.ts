import type { TopLevelSpec } from 'vega-lite';
import {
  colours,
  frame,
  hoverRule,
  lineEncoding,
  notice,
  pointEncoding,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import { few } from './quantities.ts';
import type { Figure, Layer, PositionX, PositionY, Series } from './figure-style.ts';
import { sequenceNames } from './report.ts';
import type { LayerReport, Report } from './report.ts';

/** The rank of every layer's states, real and shuffled. */
export function rankFigure(report: Report): Figure {
  const title = 'Maximum possible dimensionality';
  const values = sequenceNames.flatMap((series) =>
    report.sequences[series].layers.map(({ layer, rank }) => ({ series, layer, rank })),
  );
  const components = report.sequences.real.layers[0]!.components;
  const x = layerAxis(report);
  const y: PositionY = {
    field: 'rank',
    type: 'quantitative',
    title: `Rank (at most ${components})`,
    scale: { domain: rankDomain(values.map(({ rank }) => rank)), nice: false },
    axis: { format: 'd', tickMinStep: 1 },
  };
  const specification: TopLevelSpec = {
    ...frame(title, [runLine(report)]),
    layer: [...linesWithPoints(values, x, y, sequenceSeries), layerHover(report)],
  };
  return { name: 'rank', title, specification };
}

const shareSeries: readonly Series[] = [
  { label: 'real, % of rank', colour: colours.realShare, dash: [1, 0], shape: 'square', size: 45 },
  {
    label: 'shuffled, % of rank',
    colour: colours.shuffledShare,
    dash: [2, 3],
    shape: 'triangle-up',
    size: 22,
  },
];

/**
 * The index of the component that crosses the threshold, per layer (left), and the same as a percent of the layer's
 * rank (right).
 */
export function effectiveDimensionFigure(report: Report): Figure {
  const title = 'Effective dimensionality';
  const series = [...sequenceSeries, ...shareSeries];
  const rows = sequenceNames.flatMap((name, place) =>
    report.sequences[name].layers.flatMap((measured) => {
      const { layer, effective_index: index, percent_of_rank: percent, rank } = measured;
      return index === null || percent === null
        ? []
        : [{ series: name, layer, index, rank, share: shareSeries[place]!.label, percent }];
    }),
  );
  const x = layerAxis(report);
  const left: PositionY = {
    field: 'index',
    type: 'quantitative',
    title: `Effective dimensionality (index at ${report.threshold}%)`,
    scale: { domain: [0, topOfIndexAxis(rows)], nice: true },
    axis: { format: 'd', tickMinStep: 1, tickCount: 8 },
  };
  const right: PositionY = {
    field: 'percent',
    type: 'quantitative',
    title: '% max dimensionality',
    scale: { domain: [0, 100], nice: false },
    axis: { orient: 'right', grid: false, tickCount: 6 },
  };
  const shares = rows.map((row) => ({ ...row, series: row.share }));
  const specification: TopLevelSpec = {
    ...frame(title, [
      runLine(report),
      `component that passes ${report.threshold}% of the variance, and its % of the rank`,
    ]),
    layer: [
      {
        layer: [
          ...linesWithPoints(rows, x, left, series),
          rows.length === 0 ? notice('no variance in any layer') : layerHover(report),
        ],
      },
      { layer: linesWithPoints(shares, x, right, series, 1.5) },
    ],
    resolve: { scale: { y: 'independent' } },
  };
  return { name: 'effective-dimension', title, specification };
}

/**
 * Where the rank is the same in all layers, a percent of it is the index in another unit: two axes of like proportion
 * would draw the same curve twice. The percents reach from 0 to 100, so the indices keep clear of 0 to the rank.
 */
function topOfIndexAxis(rows: readonly { readonly index: number; readonly rank: number }[]): number {
  const highest = Math.max(1, ...rows.map(({ index }) => index)) * 1.05;
  const rank = Math.max(1, ...rows.map((row) => row.rank));
  return highest > 0.7 * rank ? 1.5 * rank : highest;
}

function linesWithPoints(
  values: readonly Record<string, unknown>[],
  x: PositionX,
  y: PositionY,
  series: readonly Series[],
  strokeWidth = 2,
): Layer[] {
  const data = { values: [...values] };
  const many = new Set(values.map(({ layer }) => layer)).size > 30;
  return [
    { data, mark: { type: 'line', strokeWidth }, encoding: { x, y, ...lineEncoding(series) } },
    {
      data,
      mark: { type: 'point', filled: true, opacity: 1 },
      encoding: { x, y, ...pointEncoding(series, many ? 0.4 : 1) },
    },
  ];
}

function layerAxis(report: Report): PositionX {
  return {
    field: 'layer',
    type: 'quantitative',
    title: 'Layer',
    scale: { domain: [0, Math.max(1, report.model.layers)], nice: false, padding: 10 },
    axis: { format: 'd', tickMinStep: 1, grid: false },
  };
}

/**
 * The ranks are nearly all alike: from zero they would be one flat line, and closely framed a difference of one would
 * look like a cliff. So the axis spans at least a tenth of the highest.
 */
function rankDomain(ranks: readonly number[]): [number, number] {
  const highest = Math.max(1, ...ranks);
  const lowest = Math.min(...ranks);
  const margin = Math.max(1, highest * 0.02);
  return [Math.max(0, Math.floor(Math.min(lowest - margin, highest * 0.9))), Math.ceil(highest + margin)];
}

function layerHover(report: Report): Layer {
  const describe = (layer: LayerReport | undefined) => {
    if (layer === undefined || layer.effective_index === null) return 'no variance';
    const { effective_dimension: dimension, effective_index: index, percent_of_rank: percent, rank } = layer;
    return `${dimension} dimensions (index ${index}), ${few(percent, 3)}% of rank ${rank}`;
  };
  const rows = report.sequences.real.layers.map((real, place) => ({
    layer: real.layer,
    real: describe(real),
    shuffled: describe(report.sequences.shuffled.layers[place]),
  }));
  return hoverRule(rows, 'layer', [
    ['Layer', 'layer'],
    ['Real', 'real'],
    ['Shuffled', 'shuffled'],
  ]);
}
