import type { BandOfNumber } from './bands.ts';
import { lineSeries, placesOf, shadedGroups, shadedWords } from './figure-bands.ts';
import { panelsFigure } from './figure-panels.ts';
import type { Panel } from './figure-panels.ts';
import type { Figure } from './figure.ts';
import { layerNumbers, partsOf } from './layer-numbers.ts';
import type { LayerNumber } from './layer-numbers.ts';
import type { Report } from './report.ts';

/** More panels would be a wall. */
const MAX_PANELS = 24;

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
  const words = { name: 'measures', title: 'Measures of each layer', subtitle: shadedWords(groups) };
  return [panelsFigure(report, words, panels.slice(0, MAX_PANELS), false)];
}
