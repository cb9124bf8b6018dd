import type { TopLevelSpec } from 'vega-lite';
import { cumulativePercent } from './dimensions.ts';
import { shaded, shadedGroups, shadedWords } from './figure-bands.ts';
import {
  componentAxis,
  componentBand,
  componentLayers,
  componentRows,
  labelledRule,
  layerSpectrum,
  logarithmicTicks,
  percents,
} from './figure-components.ts';
import type { LayerSpectrum, PlotPlace } from './figure-components.ts';
import type { ProfileSpectra } from './figures.ts';
import { plotsSideBySide } from './figure-panels.ts';
import { frame, ofBoth, runLine } from './figure-style.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import { viewTitle } from './figure-views.ts';
import type { Figure } from './figure.ts';
import { sequenceNames } from './report.ts';
import type { Report } from './report.ts';
import type { ViewName } from './views.ts';

/** What is drawn over the components of one layer. */
interface Chart {
  readonly name: string;
  title(layer: number): string;
  /** The range of its vertical axis. */
  domainOf(report: Report, own: LayerSpectrum): [number, number];
  /** What is drawn, on an axis of this range. */
  layersOf(report: Report, own: LayerSpectrum, domain: [number, number], place: PlotPlace): Layer[];
}

/** One layer's singular values on a logarithmic axis, real and shuffled, the effective dimension marked. */
const singularValues: Chart = {
  name: 'singular-values',
  title: (layer) => `Singular values of layer ${layer}`,
  domainOf(report, own) {
    const positive = componentRows(report, own).flatMap(({ value }) => (value > 0 ? [value] : []));
    if (positive.length === 0) return [0.1, 1];
    const lowest = isBelow(own, Math.min(...positive)) ? own.tolerance : Math.min(...positive);
    const highest = Math.max(...positive);
    // From a little under the lowest value, or the rank tolerance where values fall below it, to over the point at the top.
    return [lowest / 2, highest * Math.max(1.5, (highest / lowest) ** 0.06)];
  },
  layersOf(report, own, domain, place) {
    const positive = componentRows(report, own).filter(({ value }) => value > 0);
    const x = componentAxis(own.components);
    const middle = { component: own.components / 2 };
    const y: PositionY = {
      field: 'value',
      type: 'quantitative',
      title: 'Singular value',
      scale: { type: 'log', domain, nice: false },
      axis: { labelExpr: tickLabel, values: logarithmicTicks(domain) },
    };
    const bands = shadedGroups(report).map(({ band, colour }) => {
      const places = componentBand(band, own, (values) => values).filter(({ high }) => high > 0);
      // An axis of powers has no zero; what is under the plot is cut off, as the lines are.
      const lowest = Math.min(domain[0], ...places.flatMap(({ low }) => (low > 0 ? [low] : [])));
      return shaded(
        places.map((reach) => ({ ...reach, low: Math.max(reach.low, lowest) })),
        x,
        y,
        colour,
      );
    });
    const floor = Math.min(...positive.map(({ value }) => value));
    return [
      ...bands,
      ...(isBelow(own, floor)
        ? labelledRule({ x, y, field: 'value', isHigh: false }, own.tolerance, ['rank', 'tolerance'], place)
        : []),
      ...componentLayers(report, own, positive, {
        x,
        y,
        place,
        middle: { ...middle, value: Math.sqrt(domain[0] * domain[1]) },
        mark: { clip: true },
      }),
    ];
  },
};

const isBelow = ({ tolerance }: LayerSpectrum, floor: number) => tolerance > 0 && floor < tolerance;

/** The label of a tick: 0.5, 20, 1e-7. */
const tickLabel =
  "datum.value >= 0.001 && datum.value < 100000 ? format(datum.value, '~g') : format(datum.value, '~e')";

/**
 * What each component of one layer holds of the variance, in percent, real and shuffled: the components on a logarithmic axis,
 * where the few that hold most have room.
 */
const percentVariance: Chart = {
  name: 'percent-variance',
  title: (layer) => `Variance of each component of layer ${layer}`,
  domainOf(report, own) {
    const highest = [
      ...componentRows(report, own).map(({ percent }) => percent),
      ...shadedGroups(report).flatMap(({ band }) =>
        componentBand(band, own, percents).map(({ high }) => high),
      ),
    ];
    return [0, 1.05 * Math.max(1e-9, ...highest)];
  },
  layersOf(report, own, domain, place) {
    const range: [number, number] = [1, Math.max(2, own.components)];
    const middle = { component: Math.sqrt(range[1]) };
    const x: PositionX = {
      field: 'component',
      type: 'quantitative',
      title: 'Component',
      scale: { type: 'log', domain: range, nice: false, padding: 8 },
      axis: { format: 'd', values: logarithmicTicks(range), grid: false },
    };
    const y: PositionY = {
      field: 'percent',
      type: 'quantitative',
      title: 'Variance (%)',
      scale: { domain, nice: false },
      axis: { tickCount: 8 },
    };
    const varied = componentRows(report, own).filter(({ cumulative }) => cumulative > 0);
    return [
      ...shadedGroups(report).map(({ band, colour }) =>
        shaded(componentBand(band, own, percents), x, y, colour),
      ),
      ...componentLayers(report, own, varied, { x, y, place, middle: { ...middle, percent: domain[1] / 2 } }),
    ];
  },
};

/** One layer's cumulative percent of variance, real and shuffled, with the threshold and the effective dimension. */
const cumulative: Chart = {
  name: 'cumulative',
  title: (layer) => `Cumulative variance of layer ${layer}`,
  domainOf: () => [0, 100],
  layersOf(report, own, domain, place) {
    const x = componentAxis(own.components);
    const middle = { component: own.components / 2 };
    const y: PositionY = {
      field: 'cumulative',
      type: 'quantitative',
      title: 'Cumulative variance (%)',
      scale: { domain, nice: false },
    };
    const varied = componentRows(report, own).filter((row) => row.cumulative > 0);
    return [
      ...shadedGroups(report).map(({ band, colour }) => {
        const places = componentBand(band, own, cumulativePercent).filter(({ high }) => high > 0);
        return shaded(places, x, y, colour);
      }),
      ...labelledRule(
        { x, y, field: 'cumulative', isHigh: report.threshold > 50 },
        report.threshold,
        [`${report.threshold}%`],
        place,
      ),
      ...componentLayers(report, own, varied, { x, y, place, middle: { ...middle, cumulative: 50 } }),
    ];
  },
};

const charts = [singularValues, percentVariance, cumulative];

/** One layer's spectrum, as singular values, percents and their running sum. */
export function spectrumFigures(report: Report, spectra: ProfileSpectra, layer: number): Figure[] {
  const own = layerSpectrum(report, spectra, layer, 'all')!;
  return charts.map(({ name, title, domainOf, layersOf }) => {
    const specification: TopLevelSpec = {
      ...frame(title(layer), [...subtitle(report, own, layer), ...shadedWords(shadedGroups(report))]),
      layer: layersOf(report, own, domainOf(report, own), 'alone'),
    };
    return { name, title: title(layer), specification };
  });
}

/** The same of every view of that layer, side by side on one scale. None if there is no view whose spectrum is known. */
export function spectrumViewFigures(report: Report, spectra: ProfileSpectra, layer: number): Figure[] {
  const views = ['all', ...Object.keys(report.sequences.real.views ?? {})] as ViewName[];
  const known = views.flatMap((view) => {
    const own = layerSpectrum(report, spectra, layer, view);
    return own ? [{ view, own }] : [];
  });
  if (known.length < 2) return [];
  return charts.map(({ name, title, domainOf, layersOf }) => {
    const domains = known.map(({ own }) => domainOf(report, own));
    const domain: [number, number] = [
      Math.min(...domains.map(([low]) => low)),
      Math.max(...domains.map(([, high]) => high)),
    ];
    const heading = `${title(layer)} in each view`;
    const plots = known.map(({ view, own }, index) => ({
      title: viewTitle(report, view),
      subtitle: ofBoth((each) => String(own.dimensions[each])),
      layer: layersOf(report, own, domain, index),
    }));
    const under = [
      runLine(report),
      `over each plot: its effective dimension at ${report.threshold}% of the variance`,
      ...shadedWords(shadedGroups(report)),
    ];
    return {
      name: `${name}-views`,
      title: heading,
      specification: plotsSideBySide(heading, under, plots),
    };
  });
}

function subtitle(report: Report, { dimensions }: LayerSpectrum, layer: number): string[] {
  const finding = sequenceNames.every((name) => dimensions[name] === 0)
    ? 'no variance'
    : `effective dimension at ${report.threshold}% of the variance: ${ofBoth((name) => String(dimensions[name]))}`;
  return [runLine(report), `layer ${layer} of ${report.model.layers}`, finding];
}
