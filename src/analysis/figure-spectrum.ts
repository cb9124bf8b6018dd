import type { TopLevelSpec } from 'vega-lite';
import { cumulativePercent } from './dimensions.ts';
import type { SingularValues } from './dimensions.ts';
import {
  few,
  frame,
  grey,
  hoverRule,
  lineEncoding,
  notice,
  ofBoth,
  pointEncoding,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import type { Figure, Layer, PositionX, PositionY } from './figure-style.ts';
import { sequenceNames } from './report.ts';
import type { Report, SequenceName } from './report.ts';

/** The singular values of one layer's states, real and shuffled, each [components]. */
export type LayerSpectra = Readonly<Record<SequenceName, SingularValues>>;

/** One layer's singular values on a logarithmic axis, real and shuffled, the effective dimension marked. */
export function singularValuesFigure(report: Report, spectra: LayerSpectra, layer: number): Figure {
  const title = 'Singular values spectrum';
  const rows = componentRows(spectra);
  const positive = rows.filter(({ value }) => value > 0);
  const tolerance = report.sequences.real.layers[layer]!.rank_tolerance;
  const floor = Math.min(...positive.map(({ value }) => value));
  const below = tolerance > 0 && floor < tolerance;
  const domain = positive.length === 0 ? [0.1, 1] : logarithmicDomain(positive, below ? tolerance : floor);
  const x = componentAxis(rows.length / 2);
  const y: PositionY = {
    field: 'value',
    type: 'quantitative',
    title: 'Singular value',
    scale: { type: 'log', domain, nice: false },
    axis: { format: '~g', tickCount: 6, labelOverlap: true },
  };
  const specification: TopLevelSpec = {
    ...frame(title, subtitle(report, layer)),
    layer: [
      ...(below ? [toleranceRule(tolerance)] : []),
      {
        data: { values: positive },
        mark: { type: 'line', clip: true },
        encoding: { x, y, ...lineEncoding(sequenceSeries) },
      },
      {
        data: { values: markedRows(report, layer, positive) },
        mark: { type: 'point', filled: true, size: 90, opacity: 1, clip: true },
        encoding: { x, y, ...pointEncoding(sequenceSeries) },
      },
      positive.length === 0 ? notice('no variance in this layer') : componentHover(spectra),
    ],
  };
  return { name: 'singular-values', title, specification };
}

/** One layer's cumulative percent of variance, real and shuffled, with the threshold and the effective dimension. */
export function cumulativeFigure(report: Report, spectra: LayerSpectra, layer: number): Figure {
  const title = 'Cumulative singular values';
  const rows = componentRows(spectra);
  const varied = rows.filter(({ cumulative }) => cumulative > 0);
  const x = componentAxis(rows.length / 2);
  const y: PositionY = {
    field: 'cumulative',
    type: 'quantitative',
    title: 'Cumulative variance (%)',
    scale: { domain: [0, 100], nice: false },
  };
  const specification: TopLevelSpec = {
    ...frame(title, subtitle(report, layer)),
    layer: [
      {
        data: { values: [{ cumulative: report.threshold }] },
        mark: { type: 'rule', color: grey, strokeDash: [2, 3] },
        encoding: { y },
      },
      {
        data: { values: [{ cumulative: report.threshold, label: `threshold ${few(report.threshold)}%` }] },
        mark: { type: 'text', align: 'right', baseline: 'top', dy: 6, color: grey },
        encoding: { x: { value: { expr: 'width' } }, y, text: { field: 'label', type: 'nominal' } },
      },
      {
        data: { values: varied },
        mark: { type: 'line' },
        encoding: { x, y, ...lineEncoding(sequenceSeries) },
      },
      {
        data: { values: markedRows(report, layer, varied) },
        mark: { type: 'point', filled: true, size: 90, opacity: 1 },
        encoding: { x, y, ...pointEncoding(sequenceSeries) },
      },
      varied.length === 0 ? notice('no variance in this layer') : componentHover(spectra),
    ],
  };
  return { name: 'cumulative', title, specification };
}

interface ComponentRow {
  readonly series: SequenceName;
  /** From 1. */
  readonly component: number;
  readonly value: number;
  readonly cumulative: number;
}

function componentRows(spectra: LayerSpectra): ComponentRow[] {
  return sequenceNames.flatMap((series) => {
    const cumulative = cumulativePercent(spectra[series]);
    return Array.from(spectra[series], (value, index) => ({
      series,
      component: index + 1,
      value,
      cumulative: Math.min(100, cumulative[index]!),
    }));
  });
}

/** The rows to draw a point at: the effective dimension of each sequence. */
function markedRows(report: Report, layer: number, rows: readonly ComponentRow[]): ComponentRow[] {
  return rows.filter(
    ({ series, component }) => component === report.sequences[series].layers[layer]!.effective_dimension,
  );
}

function componentAxis(components: number): PositionX {
  return {
    field: 'component',
    type: 'quantitative',
    title: 'Component',
    scale: { domain: [1, Math.max(2, components)], nice: false, padding: 8 },
    axis: { format: 'd', tickMinStep: 1, tickCount: 8 },
  };
}

/** From a little under the lowest value, or the rank tolerance where values fall below it, to a little over the top. */
function logarithmicDomain(rows: readonly ComponentRow[], lowest: number): [number, number] {
  const highest = Math.max(...rows.map(({ value }) => value));
  return [lowest / 2, highest * 1.5];
}

function toleranceRule(tolerance: number): Layer {
  return {
    data: { values: [{ value: tolerance }] },
    mark: { type: 'rule', color: grey, strokeDash: [2, 3] },
    encoding: { y: { field: 'value', type: 'quantitative' } },
  };
}

function componentHover(spectra: LayerSpectra): Layer {
  const cumulative = { real: cumulativePercent(spectra.real), shuffled: cumulativePercent(spectra.shuffled) };
  const describe = (name: SequenceName, index: number) =>
    `${few(spectra[name][index]!)}, cumulative ${few(cumulative[name][index]!)}%`;
  const rows = Array.from(spectra.real, (_, index) => ({
    component: index + 1,
    real: describe('real', index),
    shuffled: describe('shuffled', index),
  }));
  return hoverRule(rows, 'component', [
    ['Component', 'component'],
    ['Real', 'real'],
    ['Shuffled', 'shuffled'],
  ]);
}

function subtitle(report: Report, layer: number): string[] {
  const dimension = (name: SequenceName) => String(report.sequences[name].layers[layer]!.effective_dimension);
  return [
    `${runLine(report)} · layer ${layer} of ${report.model.layers}`,
    `components to exceed ${few(report.threshold)}% of the variance, marked: ${ofBoth(dimension)}`,
  ];
}
