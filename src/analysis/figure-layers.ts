import type { TopLevelSpec } from 'vega-lite';
import {
  colours,
  frame,
  hoverRule,
  lineEncoding,
  notice,
  ofBoth,
  pointEncoding,
  pointMark,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import { bandWords } from './bands.ts';
import {
  lineSeries,
  medianLayers,
  placesOf,
  shaded,
  shadedGroups,
  shadedWords,
  shuffleCount,
} from './figure-bands.ts';
import { formatPercent } from './quantities.ts';
import type { Layer, PositionX, PositionY, Series } from './figure-style.ts';
import type { Figure } from './figure.ts';
import { sequenceNames } from './report.ts';
import type { LayerReport, Report, SequenceName } from './report.ts';
import { countedComponents } from './threshold.ts';

/** The rank of every layer's states, real and shuffled. */
export function rankFigure(report: Report): Figure {
  const title = 'Rank of each layer';
  const series = lineSeries(report);
  const groups = shadedGroups(report);
  const values = linesOf(report).flatMap((layers, place) =>
    layers.map(({ layer, rank }) => ({ series: series[place]!.label, layer, rank })),
  );
  const components = report.sequences.real.layers[0]!.components;
  const x = layerAxis(report);
  const y: PositionY = {
    field: 'rank',
    type: 'quantitative',
    title: `Rank (at most ${components})`,
    // From zero to the most that there can be: closely framed, a difference of one would look like a cliff.
    scale: { domain: [0, components * 1.05], nice: false },
    axis: { format: 'd', tickMinStep: 1, tickCount: 8 },
  };
  const range = (name: SequenceName) => {
    const ranks = linesOf(report)[sequenceNames.indexOf(name)]!.map(({ rank }) => rank);
    const [lowest, highest] = [Math.min(...ranks), Math.max(...ranks)];
    return lowest === highest ? String(lowest) : `${lowest} to ${highest}`;
  };
  const specification: TopLevelSpec = {
    ...frame(title, [
      runLine(report),
      `rank ${ofBoth(range)}, at most ${components}`,
      ...shadedWords(groups),
    ]),
    layer: [
      ...groups.map(({ band, colour }) => shaded(placesOf(band.layers, 'rank'), x, y, colour)),
      ...linesWithPoints(values, x, y, series),
      layerHover(report),
    ],
  };
  return { name: 'rank', title, specification };
}

/** The layers of both lines: the text, and its shuffle or the median of its shuffles. */
function linesOf(report: Report): readonly LayerReport[][] {
  const { real, shuffled } = report.sequences;
  return [real.layers, medianLayers(shuffled, report.bands?.['shuffled']?.layers)];
}

const shareSeries: readonly Series[] = [
  {
    label: 'real, % of rank',
    colour: colours.realShare,
    dash: [1, 0],
    shape: 'square',
    size: 40,
    isOpen: false,
  },
  {
    label: 'shuffled, % of rank',
    colour: colours.shuffledShare,
    dash: [2, 3],
    shape: 'triangle-up',
    size: 110,
    isOpen: true,
  },
];

/** The effective dimension of every layer (left), and the same as a percent of the layer's rank (right). */
export function effectiveDimensionFigure(report: Report): Figure {
  const title = 'Effective dimension of each layer';
  const lines = lineSeries(report);
  const [, shuffled] = lines as [Series, Series];
  const shares = shareSeries.map((share, place) =>
    place === 0 || lines === sequenceSeries ? share : { ...share, label: `${shuffled.label}, % of rank` },
  );
  const series = [...lines, ...shares];
  const groups = shadedGroups(report);
  const rows = linesOf(report).flatMap((layers, place) =>
    layers.map((measured) => ({
      series: lines[place]!.label,
      layer: measured.layer,
      dimension: measured.effective_dimension,
      rank: measured.rank,
      share: shares[place]!.label,
      percent: measured.percent_of_rank,
    })),
  );
  const bands = groups.map(({ band, colour }) => ({
    colour,
    places: placesOf(band.layers, 'effective_dimension'),
  }));
  const percentRows = rows.map((row) => ({ ...row, series: row.share }));
  const percents = rows.flatMap(({ percent }) => (percent === null ? [] : [percent]));
  const x = layerAxis(report);
  const left: PositionY = {
    field: 'dimension',
    type: 'quantitative',
    title: 'Effective dimension',
    scale: {
      domain: [
        0,
        topOfDimensionAxis(
          rows,
          Math.max(0, ...bands.flatMap(({ places }) => places.map(({ high }) => high))),
        ),
      ],
      nice: true,
    },
    axis: { format: 'd', tickMinStep: 1, tickCount: 8 },
  };
  const right: PositionY = {
    field: 'percent',
    type: 'quantitative',
    title: 'Percent of rank',
    // Over 100 where all components are counted and the rank is not full.
    scale: { domain: [0, Math.max(100, ...percents)], nice: false },
    axis: { orient: 'right', grid: false, tickCount: 6 },
  };
  const specification: TopLevelSpec = {
    ...frame(title, [runLine(report), countedComponents(report.threshold), ...shadedWords(groups)]),
    layer: [
      {
        layer: [
          ...bands.map(({ places, colour }) => shaded(places, x, left, colour)),
          ...linesWithPoints(rows, x, left, series),
          layerHover(report),
          ...(percents.length === 0 ? [notice('no variance in any layer')] : []),
        ],
      },
      { layer: linesWithPoints(percentRows, x, right, series, 1.5) },
    ],
    resolve: { scale: { y: 'independent' } },
  };
  return { name: 'effective-dimension', title, specification };
}

/**
 * Where the rank is the same in all layers, a percent of it is the dimension in another unit: two axes of like
 * proportion would draw the same curve twice. The percents reach from 0 to 100, so the dimensions keep clear of 0 to the
 * rank.
 */
function topOfDimensionAxis(
  rows: readonly { readonly dimension: number; readonly rank: number }[],
  highestOfBands: number,
): number {
  const highest = Math.max(1, highestOfBands, ...rows.map(({ dimension }) => dimension)) * 1.05;
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
      mark: pointMark,
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

function layerHover(report: Report): Layer {
  const describe = (layer: LayerReport | undefined) => {
    if (layer === undefined || layer.effective_dimension === 0) return 'no variance';
    const { effective_dimension: dimension, percent_of_rank: percent, rank } = layer;
    return `effective dimension ${dimension}, ${formatPercent(percent)}% of rank ${rank}`;
  };
  const groups = shadedGroups(report);
  const hasShuffles = shuffleCount(report) > 1;
  const rows = report.sequences.real.layers.map((real, place) => ({
    layer: real.layer,
    real: describe(real),
    ...(!hasShuffles && { shuffled: describe(report.sequences.shuffled.layers[place]) }),
    ...Object.fromEntries(
      groups.map(({ band }) => [band.kind, bandWords(band.layers[place]!.effective_dimension)]),
    ),
  }));
  return hoverRule(rows, 'layer', [
    ['Layer', 'layer'],
    ['Real', 'real'],
    ...(hasShuffles ? [] : [['Shuffled', 'shuffled'] as const]),
    ...groups.map(
      ({ band }) =>
        [
          `Effective dimension of ${band.sequences.length} ${band.kind === 'window' ? 'windows' : 'shuffles'}`,
          band.kind,
        ] as const,
    ),
  ]);
}
