import { lineSeries, medianLayers, placesOf, shadedGroups, shadedWords } from './figure-bands.ts';
import type { ShadedGroup } from './figure-bands.ts';
import { panelsFigure } from './figure-panels.ts';
import type { Panel } from './figure-panels.ts';
import type { Figure } from './figure.ts';
import type { LayerReport, Report, SequenceReport } from './report.ts';
import { countedComponents } from './threshold.ts';
import type { ViewName } from './views.ts';

/** What the figures show of each view. */
const shown = [
  { key: 'rank', name: 'rank-views', axis: 'Rank' },
  { key: 'effective_dimension', name: 'effective-dimension-views', axis: 'Effective dimension' },
  { key: 'participation_ratio', name: 'participation-ratio-views', axis: 'Participation ratio' },
] as const;
type Shown = (typeof shown)[number];

/** The same states looked at in several ways, side by side on one scale. None where no other view was asked for. */
export function viewFigures(report: Report): Figure[] {
  const others = Object.keys(report.sequences.real.views ?? {}) as ViewName[];
  if (others.length === 0) return [];
  const groups = shadedGroups(report);
  return shown.map((measure) => {
    const { key, name, axis } = measure;
    const counted = key === 'effective_dimension' ? [countedComponents(report.threshold)] : [];
    const words = { name, title: `${axis} in each view`, subtitle: [...counted, ...shadedWords(groups)] };
    const panels = (['all', ...others] as const).map((view) => panelOf(report, view, measure, groups));
    return panelsFigure(report, words, panels, true);
  });
}

/** Dimensions named in a title. */
const MAX_NAMED = 3;

/**
 * What figures call a view: with the dimensions that were listed, or that no layer of the text has an outlier. Not longer than
 * a small plot is wide.
 */
export function viewTitle({ measured, sequences }: Report, view: ViewName): string {
  const words = view === 'without_outlier_dimensions' ? 'without outliers' : view.replaceAll('_', ' ');
  if (view === 'without_dimensions') {
    const listed = measured?.without_dimensions ?? [];
    const rest = listed.length - MAX_NAMED;
    return `${words} ${listed.slice(0, MAX_NAMED).join(', ')}${rest > 0 ? ` + ${rest}` : ''}`;
  }
  return view !== 'all' && equalsAll(sequences.real, view) ? `${words} (none)` : words;
}

/** Whether a view is, in every layer, the states as they are. */
export function equalsAll({ views }: SequenceReport, view: ViewName): boolean {
  const layers = views?.[view]?.layers ?? [];
  return layers.length > 0 && layers.every((layer) => 'same_as' in layer);
}

function panelOf(
  report: Report,
  view: ViewName,
  { key, axis }: Shown,
  groups: readonly ShadedGroup[],
): Panel {
  const series = lineSeries(report);
  const { real, shuffled } = report.sequences;
  const ofBand = (band: ShadedGroup['band'] | undefined) =>
    view === 'all' ? band?.layers : band?.views?.[view]?.layers;
  const median = medianLayers({ layers: viewLayers(shuffled, view) }, ofBand(report.bands?.['shuffled']));
  return {
    title: viewTitle(report, view),
    axis,
    rows: [viewLayers(real, view), median].flatMap((layers, place) =>
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

/** The layers of a view; one that equals the layer itself is that. */
export function viewLayers({ layers, views }: SequenceReport, view: ViewName): LayerReport[] {
  if (view === 'all') return layers;
  return views![view]!.layers.map((own) => ('same_as' in own ? layers[own.layer]! : (own as LayerReport)));
}
