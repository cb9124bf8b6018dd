import type { TopLevelSpec } from 'vega-lite';
import { cumulativePercent } from './dimensions.ts';
import type { SingularValues } from './dimensions.ts';
import { middleOf } from './bands.ts';
import type { Band } from './bands.ts';
import { lineSeries, shaded, shadedGroups, shadedWords } from './figure-bands.ts';
import type { ShadedPlace } from './figure-bands.ts';
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
} from './figure-style.ts';
import { few, formatPercent } from './quantities.ts';
import type { Layer, PositionX, PositionY, Series } from './figure-style.ts';
import type { Figure } from './figure.ts';
import { sequenceNames } from './report.ts';
import type { Report, SequenceName } from './report.ts';

/** The singular values of one layer's states, real and shuffled, each [components]. */
export type LayerSpectra = Readonly<Record<SequenceName, SingularValues>>;

/** One layer's singular values of every sequence, by name. */
export type AllSpectra = Readonly<Record<string, SingularValues>>;

/** One layer's singular values on a logarithmic axis, real and shuffled, the effective dimension marked. */
export function singularValuesFigure(report: Report, all: AllSpectra, layer: number): Figure {
  const title = `Singular values of layer ${layer}`;
  const spectra = linesOf(report, all);
  const groups = shadedGroups(report);
  const series = lineSeries(report);
  const rows = componentRows(spectra, series);
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
    ...frame(title, [...subtitle(report, layer), ...shadedWords(groups)]),
    layer: [
      ...groups.map(({ band, colour }) => {
        const places = componentBand(band, all, (values) => values).map((place) => ({
          ...place,
          // An axis of powers has no zero.
          low: Math.max(place.low, domain[0]),
          high: Math.max(place.high, domain[0]),
        }));
        return shaded(places, x, y, colour);
      }),
      ...(below ? labelledRule('value', tolerance, 'rank\ntolerance') : []),
      ...componentLayers(report, layer, positive, spectra, { x, y, mark: { clip: true } }),
    ],
  };
  return { name: 'singular-values', title, specification };
}

/** One layer's cumulative percent of variance, real and shuffled, with the threshold and the effective dimension. */
export function cumulativeFigure(report: Report, all: AllSpectra, layer: number): Figure {
  const title = `Cumulative variance of layer ${layer}`;
  const spectra = linesOf(report, all);
  const groups = shadedGroups(report);
  const series = lineSeries(report);
  const rows = componentRows(spectra, series);
  const varied = rows.filter(({ cumulative }) => cumulative > 0);
  const x = componentAxis(rows.length / 2);
  const y: PositionY = {
    field: 'cumulative',
    type: 'quantitative',
    title: 'Cumulative variance (%)',
    scale: { domain: [0, 100], nice: false },
  };
  const specification: TopLevelSpec = {
    ...frame(title, [...subtitle(report, layer), ...shadedWords(groups)]),
    layer: [
      ...groups.map(({ band, colour }) => {
        const places = componentBand(band, all, cumulativePercent).filter(({ high }) => high > 0);
        return shaded(places, x, y, colour);
      }),
      ...labelledRule('cumulative', report.threshold, `${report.threshold}%`),
      ...componentLayers(report, layer, varied, spectra, { x, y }),
    ],
  };
  return { name: 'cumulative', title, specification };
}

/**
 * What each component of one layer holds of the variance, in percent, real and shuffled: the components on a logarithmic axis,
 * where the few that hold most have room.
 */
export function percentVarianceFigure(report: Report, all: AllSpectra, layer: number): Figure {
  const title = `Variance of each component of layer ${layer}`;
  const spectra = linesOf(report, all);
  const groups = shadedGroups(report);
  const series = lineSeries(report);
  const rows = componentRows(spectra, series);
  const varied = rows.filter(({ cumulative }) => cumulative > 0);
  const bands = groups.map(({ band, colour }) => ({ colour, places: componentBand(band, all, percents) }));
  const components = rows.length / 2;
  const x: PositionX = {
    field: 'component',
    type: 'quantitative',
    title: 'Component',
    scale: { type: 'log', domain: [1, Math.max(2, components)], nice: false, padding: 8 },
    axis: { format: 'd', values: logarithmicTicks([1, Math.max(2, components)]), grid: false },
  };
  const highest = [
    ...rows.map(({ percent }) => percent),
    ...bands.flatMap(({ places }) => places.map(({ high }) => high)),
  ];
  const y: PositionY = {
    field: 'percent',
    type: 'quantitative',
    title: 'Variance (%)',
    scale: { domain: [0, 1.05 * Math.max(1e-9, ...highest)], nice: false },
    axis: { tickCount: 8 },
  };
  const specification: TopLevelSpec = {
    ...frame(title, [...subtitle(report, layer), ...shadedWords(groups)]),
    layer: [
      ...bands.map(({ places, colour }) => shaded(places, x, y, colour)),
      ...componentLayers(report, layer, varied, spectra, { x, y }),
    ],
  };
  return { name: 'percent-variance', title, specification };
}

/** The lines of a figure over components, their marked points, and what the pointer reads; a notice if there is no row. */
function componentLayers(
  report: Report,
  layer: number,
  rows: readonly ComponentRow[],
  spectra: LayerSpectra,
  { x, y, mark = {} }: { readonly x: PositionX; readonly y: PositionY; readonly mark?: { clip?: boolean } },
): Layer[] {
  const series = lineSeries(report);
  return [
    {
      data: { values: [...rows] },
      mark: { type: 'line', ...mark },
      encoding: { x, y, ...lineEncoding(series) },
    },
    {
      data: { values: markedRows(report, layer, rows) },
      mark: { ...pointMark, ...mark },
      encoding: { x, y, ...pointEncoding(series, 1.5) },
    },
    rows.length === 0 ? notice('no variance in this layer') : componentHover(spectra),
  ];
}

/** What each component holds of the variance, in percent. */
function percents(values: SingularValues): Float64Array {
  const cumulative = cumulativePercent(values);
  return cumulative.map((percent, index) => percent - (cumulative[index - 1] ?? 0));
}

interface ComponentRow {
  readonly series: string;
  /** From 1. */
  readonly component: number;
  readonly value: number;
  readonly percent: number;
  readonly cumulative: number;
}

/** What both lines show: the text, and its shuffle or for each component the median of its shuffles. */
function linesOf(report: Report, all: AllSpectra): LayerSpectra {
  const names = report.bands?.['shuffled']?.sequences ?? ['shuffled'];
  const shuffled = all['shuffled']!;
  const median = shuffled.map((_, index) => middleOf(names.map((name) => all[name]![index]!)));
  return { real: all['real']!, shuffled: names.length > 1 ? median : shuffled };
}

/** From where to where a band's sequences reach in each component. */
function componentBand(
  { sequences }: Band,
  all: AllSpectra,
  of: (values: SingularValues) => SingularValues,
): ShadedPlace[] {
  const members = sequences.map((name) => of(all[name]!));
  return Array.from(members[0]!, (_, index) => {
    const values = members.map((member) => member[index]!);
    return { component: index + 1, low: Math.min(...values), high: Math.max(...values) };
  });
}

function componentRows(spectra: LayerSpectra, series: readonly Series[]): ComponentRow[] {
  return sequenceNames.flatMap((name, place) => {
    const cumulative = cumulativePercent(spectra[name]);
    const percent = percents(spectra[name]);
    return Array.from(spectra[name], (value, index) => ({
      series: series[place]!.label,
      component: index + 1,
      value,
      percent: percent[index]!,
      cumulative: Math.min(100, cumulative[index]!),
    }));
  });
}

/** The rows to draw a point at: the effective dimension of each sequence. */
function markedRows(report: Report, layer: number, rows: readonly ComponentRow[]): ComponentRow[] {
  const series = lineSeries(report);
  return rows.filter(({ series: label, component }) => {
    const name = label === series[0]!.label ? 'real' : 'shuffled';
    return component === dimensionOf(report, name, layer);
  });
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

/** The label of a tick: 0.5, 20, 1e-7. */
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

/** The effective dimension that is marked: of several shuffles a component near their median. */
function dimensionOf({ sequences, bands }: Report, name: SequenceName, layer: number): number {
  const band = name === 'shuffled' ? bands?.['shuffled']?.layers[layer]!.effective_dimension : undefined;
  return band ? Math.round(band.median) : sequences[name].layers[layer]!.effective_dimension;
}

function subtitle(report: Report, layer: number): string[] {
  const dimension = (name: SequenceName) => dimensionOf(report, name, layer);
  const finding = sequenceNames.every((name) => dimension(name) === 0)
    ? 'no variance'
    : `effective dimension at ${report.threshold}% of the variance: ${ofBoth((name) => String(dimension(name)))}`;
  return [runLine(report), `layer ${layer} of ${report.model.layers}`, finding];
}
