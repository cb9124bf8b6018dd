import type { Band, BandOfNumber } from './bands.ts';
import { lineSeries, placesOf, shaded, shadedGroups, shadedWords } from './figure-bands.ts';
import type { ShadedGroup } from './figure-bands.ts';
import { layerAxes, panelsFigure, plotsSideBySide, rangeOf } from './figure-panels.ts';
import type { Panel } from './figure-panels.ts';
import { hoverRule, runLine } from './figure-style.ts';
import type { Encoding, Layer, Series } from './figure-style.ts';
import { equalsAll, viewLayers, viewTitle } from './figure-views.ts';
import type { Figure } from './figure.ts';
import { layerNumbers, partsOf } from './layer-numbers.ts';
import type { LayerNumber } from './layer-numbers.ts';
import { few } from './quantities.ts';
import type { LayerReport, Report } from './report.ts';
import type { ViewName } from './views.ts';

/** More panels would be a wall. */
const MAX_PANELS = 24;

/** Says how many of so many measures are not drawn. */
function leftOut(panels: number): string[] {
  return panels > MAX_PANELS ? [`${panels - MAX_PANELS} more measures are in report.json`] : [];
}

/** Every measure that was asked for, over the layers, in a panel of its own. None where nothing was asked for. */
export function measureFigures(report: Report): Figure[] {
  if (!report.measured || report.measured.measures.length === 0) return [];
  const { real, shuffled } = report.sequences;
  const parts = partsOf(real.layers[0]!);
  const series = lineSeries(report);
  const groups = shadedGroups(report);
  const lines = [real, shuffled].map(({ layers }) => layers.map((layer) => layerNumbers(layer, parts)));
  const medians = report.bands?.['shuffled']?.layers;
  const columns = layerNumbers({}, parts);
  const panels = columns.flatMap(({ key, title, isPlace }: LayerNumber, column): Panel[] => {
    if (title === undefined || isPlace) return [];
    const isShared = columns.filter((other) => other.title === title).length > 1;
    const rows = lines.flatMap((layers, place) =>
      layers.map((numbers, layer) => {
        const band = place === 1 && medians ? (medians[layer]![key] as BandOfNumber | null) : undefined;
        const value = band === undefined ? numbers[column]!.value : band && band.median;
        return { series: series[place]!.label, layer, value };
      }),
    );
    if (rows.every(({ value }) => value === null)) return [];
    const bands = groups.map(({ band, colour }) => ({ colour, places: placesOf(band.layers, key) }));
    return [{ title: isShared ? key.replaceAll('_', ' ') : title, axis: null, rows, bands }];
  });
  if (panels.length === 0) return [];
  const subtitle = [...shadedWords(groups), ...leftOut(panels.length)];
  const words = { name: 'measures', title: 'Measures of each layer', subtitle };
  return [panelsFigure(report, words, panels.slice(0, MAX_PANELS), false)];
}

interface ViewRow {
  readonly view: string;
  readonly sequence: string;
  readonly layer: number;
  readonly value: number | null;
}

/** Blue, vermilion, green, pink and orange of Okabe and Ito, "Color Universal Design" (2002), a view each. */
const palette = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00'];

/**
 * The same in every view: a panel for each measure with a colour for each view, the shuffle dashed. None where no other view
 * was asked for.
 */
export function measureViewFigures(report: Report): Figure[] {
  const { measured, sequences, bands } = report;
  const asked = Object.keys(sequences.real.views ?? {}) as ViewName[];
  const isAll = (view: ViewName) => equalsAll(sequences.real, view) && equalsAll(sequences.shuffled, view);
  const others = asked.filter((view) => !isAll(view));
  if (!measured || measured.measures.length === 0 || others.length === 0) return [];
  const views = ['all', ...others] as const;
  const labels = views.map((view) => viewTitle(report, view));
  const [real, shuffled] = lineSeries(report) as readonly [Series, Series];
  const parts = { ...partsOf(sequences.real.layers[0]!), hasNorms: false, comparisons: [] };
  const groups = shadedGroups(report);
  const ofView = (band: Band | undefined, view: ViewName) =>
    view === 'all' ? band?.layers : band?.views?.[view]?.layers;
  const panels = layerNumbers({}, parts).flatMap(({ key, title, isPlace }, column) => {
    if (title === undefined || isPlace) return [];
    const rows = views.flatMap((view, place) =>
      [sequences.real, sequences.shuffled].flatMap((sequence, line) =>
        viewLayers(sequence, view).map((own: Partial<LayerReport>, layer): ViewRow => {
          const median =
            line === 1
              ? (ofView(bands?.['shuffled'], view)?.[layer]?.[key] as BandOfNumber | null | undefined)
              : undefined;
          const value = layerNumbers(own, parts)[column]!.value;
          const { label } = line === 0 ? real : shuffled;
          return { view: labels[place]!, sequence: label, layer, value: median ? median.median : value };
        }),
      ),
    );
    if (rows.every(({ value }) => value === null)) return [];
    const areas = groups.flatMap(({ band }) =>
      views.flatMap((view, place) => {
        const places = placesOf(ofView(band, view) ?? [], key);
        return places.length === 0 ? [] : [{ colour: palette[place]!, places }];
      }),
    );
    return [{ key, title, rows, bands: areas }];
  });
  if (panels.length === 0) return [];
  const heading = 'Measures of each layer, in each view';
  const plots = panels.slice(0, MAX_PANELS).map(({ key, title, rows, bands: areas }, index) => {
    const isShared = panels.filter((other) => other.title === title).length > 1;
    const { x, y } = layerAxes(report, null, rangeOf([{ rows, bands: areas }]));
    return {
      title: isShared ? key.replaceAll('_', ' ') : title,
      layer: [
        ...areas.map(({ places, colour }) => shaded(places, x, y, colour, 0.12)),
        {
          data: { values: rows },
          mark: { type: 'line', strokeWidth: 1.75 },
          encoding: { x, y, ...viewEncoding(labels, [real, shuffled]) },
        } satisfies Layer,
        {
          data: { values: rows.filter((row) => isAlone(row, rows)) },
          mark: { type: 'point', filled: true, opacity: 1, size: 30 },
          encoding: { x, y, ...viewEncoding(labels, [real, shuffled]) },
        } satisfies Layer,
        rowsHover(rows, labels, `hovered${index}`),
      ],
    };
  });
  const same = asked.filter(isAll).map((view) => `${viewTitle(report, view)}: as all`);
  const drawn = `solid: ${real.label}; dashed: ${shuffled.label}`;
  const under = [runLine(report), drawn, ...viewBandWords(groups), ...same, ...leftOut(panels.length)];
  const specification = plotsSideBySide(heading, under, plots);
  return [{ name: 'measures-views', title: heading, specification }];
}

/** Whether neither neighbour of a number is there, so that no line reaches it. */
function isAlone(row: ViewRow, rows: readonly ViewRow[]): boolean {
  const isBeside = (other: ViewRow) =>
    other.value !== null &&
    other.view === row.view &&
    other.sequence === row.sequence &&
    Math.abs(other.layer - row.layer) === 1;
  return row.value !== null && !rows.some(isBeside);
}

/** A view's bands have its colour. With both kinds, each lies around its own lines. */
function viewBandWords(groups: readonly ShadedGroup[]): string[] {
  const about = ({ band }: ShadedGroup) => (band.kind === 'window' ? 'solid' : 'dashed');
  const words = groups.map((group) => {
    const { words: of } = group;
    return groups.length > 1 ? `${of} around the ${about(group)} lines` : of;
  });
  return words.length === 0 ? [] : [`shaded: lowest to highest of ${words.join(', ')}`];
}

function viewEncoding(labels: readonly string[], series: readonly Series[]): Encoding {
  const field = { type: 'nominal', sort: null } as const;
  const legend = {
    title: null,
    orient: 'bottom',
    symbolType: 'stroke',
    symbolSize: 500,
    columns: 2,
  } as const;
  return {
    color: {
      ...field,
      field: 'view',
      scale: { domain: [...labels], range: palette.slice(0, labels.length) },
      legend: { ...legend, symbolStrokeWidth: 2.5 },
    },
    strokeDash: {
      ...field,
      field: 'sequence',
      scale: { domain: series.map(({ label }) => label), range: series.map(({ dash }) => [...dash]) },
      legend,
    },
  };
}

/** What the pointer reads at a layer: the numbers of each view, the text's first. */
function rowsHover(rows: readonly ViewRow[], labels: readonly string[], parameter: string): Layer {
  const places = [...new Set(rows.map(({ layer }) => layer))].map((layer) => ({
    layer,
    ...Object.fromEntries(
      labels.map((label, index) => {
        const own = rows.filter((row) => row.layer === layer && row.view === label);
        return [`view${index}`, own.map(({ value }) => few(value)).join(', ')];
      }),
    ),
  }));
  const lines = labels.map((label, index) => [label, `view${index}`] as const);
  return hoverRule(places, 'layer', [['Layer', 'layer'], ...lines], parameter);
}
