import type { TopLevelSpec } from 'vega-lite';
import { lineSeries, medianLayers, placesOf, shaded, shadedGroups, shadedWords } from './figure-bands.ts';
import type { ShadedGroup } from './figure-bands.ts';
import { frame, grey, lineEncoding, pointEncoding, pointMark, runLine } from './figure-style.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import type { Figure } from './figure.ts';
import type { LayerReport, Report, SequenceReport } from './report.ts';
import { countedComponents } from './threshold.ts';
import type { ViewName } from './views.ts';

/** Panels in a row. */
const COLUMNS = 2;

/** What the figures show of each view. */
const shown = [
  {
    key: 'effective_dimension',
    name: 'effective-dimension-views',
    title: 'Effective dimension in each view',
  },
  {
    key: 'participation_ratio',
    name: 'participation-ratio-views',
    title: 'Participation ratio in each view',
  },
] as const;
type Shown = (typeof shown)[number];

/** The same states looked at in several ways, side by side on one scale. None where no other view was asked for. */
export function viewFigures(report: Report): Figure[] {
  const others = Object.keys(report.sequences.real.views ?? {}) as ViewName[];
  if (others.length === 0) return [];
  const views = ['all', ...others] as const;
  return shown.map((measure) => viewsFigure(report, views, measure));
}

function viewsFigure(report: Report, views: readonly ViewName[], { key, name, title }: Shown): Figure {
  const groups = shadedGroups(report);
  const panels = views.map((view) => rowsOf(report, view, key, groups));
  const highest = Math.max(
    1,
    ...panels.flatMap(({ rows, bands }) => [
      ...rows.map(({ value }) => value ?? 0),
      ...bands.flatMap(({ places }) => places.map(({ high }) => high)),
    ]),
  );
  const { width, height, ...common } = frame(title, [
    runLine(report),
    ...(key === 'effective_dimension' ? [countedComponents(report.threshold)] : []),
    ...shadedWords(groups),
  ]);
  const x: PositionX = {
    field: 'layer',
    type: 'quantitative',
    title: 'Layer',
    scale: { domain: [0, Math.max(1, report.model.layers)], nice: false, padding: 10 },
    axis: { format: 'd', tickMinStep: 1, tickCount: 7, grid: false },
  };
  const y: PositionY = {
    field: 'value',
    type: 'quantitative',
    title: key === 'effective_dimension' ? 'Effective dimension' : 'Participation ratio',
    scale: { domain: [0, highest * 1.05], nice: true },
    axis: { tickCount: 6 },
  };
  const specification: TopLevelSpec = {
    ...common,
    concat: views.map((view, place) => ({
      width: Number(width) * 0.5,
      height: Number(height) * 0.5,
      title: { text: view.replaceAll('_', ' '), fontSize: 13 },
      layer: panel(report, panels[place]!, highest, x, y),
    })),
    columns: COLUMNS,
    spacing: { row: 40, column: 40 },
  };
  return { name, title, specification };
}

interface PanelRows {
  readonly rows: readonly {
    readonly series: string;
    readonly layer: number;
    readonly value: number | null;
  }[];
  readonly bands: readonly { readonly colour: string; readonly places: ReturnType<typeof placesOf> }[];
}

function rowsOf(
  report: Report,
  view: ViewName,
  key: Shown['key'],
  groups: readonly ShadedGroup[],
): PanelRows {
  const series = lineSeries(report);
  const { real, shuffled } = report.sequences;
  const ofBand = (band: ShadedGroup['band'] | undefined) =>
    view === 'all' ? band?.layers : band?.views?.[view]?.layers;
  const median = medianLayers(
    { layers: layersOf(shuffled, view) },
    series.length > 0 && report.bands ? ofBand(report.bands['shuffled']) : undefined,
  );
  return {
    rows: [layersOf(real, view), median].flatMap((layers, place) =>
      layers.map((layer) => ({
        series: series[place]!.label,
        layer: layer.layer,
        // A view without rows or columns has no numbers.
        value: (layer as Partial<LayerReport>)[key] ?? null,
      })),
    ),
    bands: groups.map(({ band, colour }) => ({ colour, places: placesOf(ofBand(band) ?? [], key) })),
  };
}

function layersOf({ layers, views }: SequenceReport, view: ViewName): LayerReport[] {
  if (view === 'all') return layers;
  return views![view]!.layers.map((own) => ('same_as' in own ? layers[own.layer]! : (own as LayerReport)));
}

/** Words in the middle, by the scales, for a panel does not know its width by that name. */
function emptyPanel(report: Report, highest: number, x: PositionX, y: PositionY): Layer {
  const values = [{ layer: report.model.layers / 2, value: highest / 2 }];
  const mark = { type: 'text', text: 'nothing varies here', color: grey, fontSize: 14 } as const;
  return { data: { values }, mark, encoding: { x, y } };
}

function panel(
  report: Report,
  { rows, bands }: PanelRows,
  highest: number,
  x: PositionX,
  y: PositionY,
): Layer[] {
  const series = lineSeries(report);
  const values = rows.map((row) => ({ ...row }));
  const isEmpty = values.every(({ value }) => value === null);
  return [
    ...bands.map(({ colour, places }) => shaded(places, x, y, colour)),
    { data: { values }, mark: { type: 'line' }, encoding: { x, y, ...lineEncoding(series) } },
    {
      data: { values: values.filter(({ value }) => value !== null) },
      mark: pointMark,
      encoding: { x, y, ...pointEncoding(series, 0.6) },
    },
    ...(isEmpty ? [emptyPanel(report, highest, x, y)] : []),
  ];
}
