import type { TopLevelSpec } from 'vega-lite';
import { cumulativePercent } from './dimensions.ts';
import type { SingularValues } from './dimensions.ts';
import {
  frame,
  grey,
  hoverRule,
  lineEncoding,
  notice,
  ofBoth,
  pointEncoding,
  pointMark,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import { few, formatPercent } from './quantities.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import type { Figure } from './figure.ts';
import { sequenceNames } from './report.ts';
import type { Report, SequenceName } from './report.ts';

/** The singular values of one layer's states, real and shuffled, each [components]. */
export type LayerSpectra = Readonly<Record<SequenceName, SingularValues>>;

/** One layer's singular values on a logarithmic axis, real and shuffled, the effective dimension marked. */
export function singularValuesFigure(report: Report, spectra: LayerSpectra, layer: number): Figure {
  const title = `Singular values of layer ${layer}`;
  const rows = componentRows(spectra);
  const positive = rows.filter(({ value }) => value > 0);
  const tolerance = report.sequences.real.layers[layer]!.rank_tolerance;
  const floor = Math.min(...positive.map(({ value }) => value));
  const below = tolerance > 0 && floor < tolerance;
  const domain: [number, number] =
    positive.length === 0 ? [0.1, 1] : logarithmicDomain(positive, below ? tolerance : floor);
  const x = componentAxis(rows.length / 2);
  const y: PositionY = {
    field: 'value',
    type: 'quantitative',
    title: 'Singular value',
    scale: { type: 'log', domain, nice: false },
    axis: { labelExpr: tickLabel, values: logarithmicTicks(domain) },
  };
  const specification: TopLevelSpec = {
    ...frame(title, subtitle(report, layer)),
    layer: [
      ...(below ? labelledRule('value', tolerance, 'rank\ntolerance') : []),
      {
        data: { values: positive },
        mark: { type: 'line', clip: true },
        encoding: { x, y, ...lineEncoding(sequenceSeries) },
      },
      {
        data: { values: markedRows(report, layer, positive) },
        mark: { ...pointMark, clip: true },
        encoding: { x, y, ...pointEncoding(sequenceSeries, 1.5) },
      },
      positive.length === 0 ? notice('no variance in this layer') : componentHover(spectra),
    ],
  };
  return { name: 'singular-values', title, specification };
}

/** One layer's cumulative percent of variance, real and shuffled, with the threshold and the effective dimension. */
export function cumulativeFigure(report: Report, spectra: LayerSpectra, layer: number): Figure {
  const title = `Cumulative variance of layer ${layer}`;
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
      ...labelledRule('cumulative', report.threshold, `${report.threshold}%`),
      {
        data: { values: varied },
        mark: { type: 'line' },
        encoding: { x, y, ...lineEncoding(sequenceSeries) },
      },
      {
        data: { values: markedRows(report, layer, varied) },
        mark: pointMark,
        encoding: { x, y, ...pointEncoding(sequenceSeries, 1.5) },
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

/** Of a tick: 0.5, 20, 1e-7. */
const tickLabel =
  "datum.value >= 0.001 && datum.value < 100000 ? format(datum.value, '~g') : format(datum.value, '~e')";

/** Powers of ten, and 2 and 5 times them where they are few; every second or third power where they are many. */
function logarithmicTicks([low, high]: readonly [number, number]): number[] {
  const decades = Math.log10(high / low);
  const steps = decades < 3 ? [1, 2, 5] : [1];
  const stride = Math.ceil(decades / 10);
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
    if (power % stride === 0) ticks.push(...steps.map((step) => Number(`${step}e${power}`)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** A dotted rule across the plot, with a word about it to the right, where no curve runs. */
function labelledRule(field: string, value: number, label: string): Layer[] {
  const data = { values: [{ [field]: value, label }] };
  const y: PositionY = { field, type: 'quantitative' };
  return [
    { data, mark: { type: 'rule', color: grey, strokeDash: [2, 3] }, encoding: { y } },
    {
      data,
      mark: { type: 'text', align: 'left', baseline: 'middle', dx: 6, color: grey, lineBreak: '\n' },
      encoding: { x: { value: { expr: 'width' } }, y, text: { field: 'label', type: 'nominal' } },
    },
  ];
}

function componentHover(spectra: LayerSpectra): Layer {
  const cumulative = { real: cumulativePercent(spectra.real), shuffled: cumulativePercent(spectra.shuffled) };
  const describe = (name: SequenceName, index: number) =>
    `${few(spectra[name][index]!)}, cumulative ${formatPercent(cumulative[name][index]!)}%`;
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
  const dimension = (name: SequenceName) => report.sequences[name].layers[layer]!.effective_dimension;
  const finding = sequenceNames.every((name) => dimension(name) === 0)
    ? 'no variance'
    : `effective dimension at ${report.threshold}% of the variance: ${ofBoth((name) => String(dimension(name)))}`;
  return [runLine(report), `layer ${layer} of ${report.model.layers}`, finding];
}
