import { cumulativePercent } from './dimensions.ts';
import type { SingularValues } from './dimensions.ts';
import { middleOf } from './bands.ts';
import type { Band } from './bands.ts';
import { lineSeries } from './figure-bands.ts';
import type { ShadedPlace } from './figure-bands.ts';
import type { ProfileSpectra } from './figures.ts';
import { grey, hoverRule, lineEncoding, notice, noticeAt, pointEncoding, pointMark } from './figure-style.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import { viewLayers } from './figure-views.ts';
import { few, formatPercent } from './quantities.ts';
import { sequenceNames } from './report.ts';
import type { LayerReport, Report, SequenceName } from './report.ts';
import { spectrumName } from './views.ts';
import type { ViewName } from './views.ts';

/** The singular values of one layer in one view, and what a figure marks on them. */
export interface LayerSpectrum {
  /** Of every sequence, by name, [components] each. */
  readonly spectra: Readonly<Record<string, SingularValues>>;
  readonly components: number;
  /** The rank tolerance of the text. */
  readonly tolerance: number;
  /** The effective dimension that is marked: of several shuffles a component near their median. */
  readonly dimensions: Readonly<Record<SequenceName, number>>;
}

/** A plot alone, or its number among others. */
export type PlotPlace = 'alone' | number;

/** @returns undefined if the view's singular values are not known, or it has none */
export function layerSpectrum(
  report: Report,
  spectra: ProfileSpectra,
  layer: number,
  view: ViewName,
): LayerSpectrum | undefined {
  const { sequences, bands } = report;
  const names = Object.keys(sequences).filter((name) => spectra[name] !== undefined);
  // A view without rows or columns has no numbers.
  const own: Readonly<Record<string, Partial<LayerReport> | undefined>> = Object.fromEntries(
    names.map((name) => [name, viewLayers(sequences[name]!, view)[layer]]),
  );
  const rows = names.map((name) => [name, spectra[spectrumName(name, view)]?.[layer]] as const);
  const components = Math.max(0, ...names.map((name) => own[name]?.components ?? 0));
  if (components === 0 || rows.some(([, values]) => values === undefined)) return undefined;
  const shuffles = bands?.['shuffled'];
  const ofView = view === 'all' ? shuffles?.layers : shuffles?.views?.[view]?.layers;
  const band = ofView?.[layer]?.effective_dimension;
  const dimensionOf = (name: SequenceName) => own[name]?.effective_dimension ?? 0;
  return {
    spectra: Object.fromEntries(rows.map(([name, values]) => [name, values!.subarray(0, components)])),
    components,
    tolerance: own['real']?.rank_tolerance ?? 0,
    dimensions: {
      real: dimensionOf('real'),
      shuffled: band ? Math.round(band.median) : dimensionOf('shuffled'),
    },
  };
}

export interface ComponentRow {
  readonly series: string;
  /** From 1. */
  readonly component: number;
  readonly value: number;
  readonly percent: number;
  readonly cumulative: number;
}

/** Every component of both lines. */
export function componentRows(report: Report, own: LayerSpectrum): ComponentRow[] {
  const lines = linesOf(report, own);
  const series = lineSeries(report);
  return sequenceNames.flatMap((name, place) => {
    const cumulative = cumulativePercent(lines[name]);
    const percent = percents(lines[name]);
    return Array.from(lines[name], (value, index) => ({
      series: series[place]!.label,
      component: index + 1,
      value,
      percent: percent[index]!,
      cumulative: Math.min(100, cumulative[index]!),
    }));
  });
}

/** What both lines show: the text, and its shuffle or for each component the median of its shuffles. */
function linesOf(report: Report, { spectra }: LayerSpectrum): Readonly<Record<SequenceName, SingularValues>> {
  const names = report.bands?.['shuffled']?.sequences ?? ['shuffled'];
  const shuffled = spectra['shuffled']!;
  const median = shuffled.map((_, index) => middleOf(names.map((name) => spectra[name]![index]!)));
  return { real: spectra['real']!, shuffled: names.length > 1 ? median : shuffled };
}

/** What each component holds of the variance, in percent. */
export function percents(values: SingularValues): Float64Array {
  const cumulative = cumulativePercent(values);
  return cumulative.map((percent, index) => percent - (cumulative[index - 1] ?? 0));
}

/** From where to where a band's sequences reach in each component. */
export function componentBand(
  { sequences }: Band,
  { spectra }: LayerSpectrum,
  of: (values: SingularValues) => SingularValues,
): ShadedPlace[] {
  const members = sequences.map((name) => of(spectra[name]!));
  return Array.from(members[0]!, (_, index) => {
    const values = members.map((member) => member[index]!);
    return { component: index + 1, low: Math.min(...values), high: Math.max(...values) };
  });
}

/** The lines of a figure over components, their marked points, and what the pointer reads; a notice if there is no row. */
export function componentLayers(
  report: Report,
  own: LayerSpectrum,
  rows: readonly ComponentRow[],
  {
    x,
    y,
    place,
    middle,
    mark = {},
  }: {
    readonly x: PositionX;
    readonly y: PositionY;
    readonly place: PlotPlace;
    /** The middle of the plot, by the fields of its axes. */
    readonly middle: Readonly<Record<string, number>>;
    readonly mark?: { clip?: boolean };
  },
): Layer[] {
  const series = lineSeries(report);
  const marked = rows.filter(({ series: label, component }) => {
    const name = label === series[0]!.label ? 'real' : 'shuffled';
    return component === own.dimensions[name];
  });
  const nothing = 'no variance in this layer';
  return [
    {
      data: { values: [...rows] },
      mark: { type: 'line', ...mark },
      encoding: { x, y, ...lineEncoding(series) },
    },
    {
      data: { values: marked },
      mark: { ...pointMark, ...mark },
      encoding: { x, y, ...pointEncoding(series, 1.5) },
    },
    rows.length > 0
      ? componentHover(linesOf(report, own), place === 'alone' ? 'hovered' : `hovered${place}`)
      : place === 'alone'
        ? notice(nothing)
        : noticeAt(nothing, { x, y }, middle),
  ];
}

export function componentAxis(components: number): PositionX {
  return {
    field: 'component',
    type: 'quantitative',
    title: 'Component',
    scale: { domain: [1, Math.max(2, components)], nice: false, padding: 8 },
    axis: { format: 'd', tickMinStep: 1, tickCount: 8 },
  };
}

/** Powers of ten, and 2 and 5 times them where they are few; every second or third power where they are many. */
export function logarithmicTicks([low, high]: readonly [number, number]): number[] {
  const decades = Math.log10(high / low);
  const steps = decades < 3 ? [1, 2, 5] : [1];
  const stride = Math.ceil(decades / 10);
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1)
    if (power % stride === 0) ticks.push(...steps.map((step) => Number(`${step}e${power}`)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/**
 * A dotted rule across the plot, with words about it where no curve runs: to the right of a plot alone, and at the rule's
 * beginning among others, under a rule that is high and over one that is low.
 */
export function labelledRule(
  {
    x,
    y: axis,
    field,
    isHigh,
  }: { readonly x: PositionX; readonly y: PositionY; readonly field: string; readonly isHigh: boolean },
  value: number,
  words: readonly string[],
  place: PlotPlace,
): Layer[] {
  const label = words.join(place === 'alone' ? '\n' : ' ');
  const data = { values: [{ [field]: value, label, component: 1 }] };
  const y: PositionY = place === 'alone' ? { field, type: 'quantitative' } : axis;
  const text = { type: 'text', align: 'left', color: grey } as const;
  return [
    { data, mark: { type: 'rule', color: grey, strokeDash: [2, 3] }, encoding: { y } },
    place === 'alone'
      ? {
          data,
          mark: { ...text, baseline: 'middle', dx: 6, lineBreak: '\n' },
          encoding: { x: { value: { expr: 'width' } }, y, text: { field: 'label', type: 'nominal' } },
        }
      : {
          data,
          mark: { ...text, ...(isHigh ? { baseline: 'top', dy: 3 } : { baseline: 'bottom', dy: -2 }) },
          encoding: { x, y, text: { field: 'label', type: 'nominal' } },
        },
  ];
}

function componentHover(spectra: Readonly<Record<SequenceName, SingularValues>>, parameter: string): Layer {
  const cumulative = { real: cumulativePercent(spectra.real), shuffled: cumulativePercent(spectra.shuffled) };
  const describe = (name: SequenceName, index: number) =>
    `${few(spectra[name][index]!)}, cumulative ${formatPercent(cumulative[name][index]!)}%`;
  const rows = Array.from(spectra.real, (_, index) => ({
    component: index + 1,
    real: describe('real', index),
    shuffled: describe('shuffled', index),
  }));
  const lines = [
    ['Component', 'component'],
    ['Real', 'real'],
    ['Shuffled', 'shuffled'],
  ] as const;
  return hoverRule(rows, 'component', lines, parameter);
}
