import { FormatError } from '../../engine/errors.ts';
import { layerDimensions } from '../dimensions.ts';
import { checkThreshold } from '../threshold.ts';
import type { SavedLayer, SavedReport, SavedSequence } from './saved-report.ts';
import type { SavedSpectra } from './run.ts';

/** The numbers that a threshold changes. */
const thresholdKeys = [
  'effective_dimension',
  'effective_index',
  'percent_of_rank',
  'notebook_percent',
] as const;

/**
 * A report as it would be at another threshold, from the singular values that the run left: only the effective dimension
 * and its percents change. Views have no singular values in the file, so that they lose those numbers, and so do bands.
 *
 * @param source of the spectra, for messages
 * @throws InputError if the threshold is not a percent
 * @throws FormatError if the spectra are not the report's
 */
export function withThreshold(
  report: SavedReport,
  spectra: SavedSpectra,
  threshold: number,
  source: string,
): SavedReport {
  checkThreshold(threshold);
  if (threshold === report.threshold) return report;
  const sequences = [...report.sequences].map(([name, sequence]) => {
    const values = spectra.get(name);
    if (values?.length !== report.model.layers + 1)
      throw FormatError.at(
        source,
        `has ${values ? `${values.length} rows` : 'nothing'} under ${name}.singular_values, where the report has ${report.model.layers + 1} layers; profile the model again`,
      );
    const all = sequence.views.get('all')!.map((layer, index): SavedLayer => {
      const { ids } = sequence;
      const dimensions = layerDimensions(values[index]!, ids.length, report.model.width, threshold);
      const changed = thresholdKeys.map((key) => [key, dimensions[key]] as const);
      return { ...layer, numbers: { ...layer.numbers, ...Object.fromEntries(changed) } };
    });
    const others = [...sequence.views].filter(([view]) => view !== 'all');
    const views = new Map([
      ['all', all] as const,
      ...others.map(([view, layers]) => [view, layers.map(withoutThreshold)] as const),
    ]);
    return [name, { ...sequence, views } satisfies SavedSequence] as const;
  });
  const bands = [...report.bands].map(([name, band]) => {
    const layers = band.layers.map(({ layer, numbers }) => ({
      layer,
      numbers: new Map([...numbers].filter(([key]) => !isThresholdKey(key))),
    }));
    return [name, { ...band, layers }] as const;
  });
  return { ...report, threshold, sequences: new Map(sequences), bands: new Map(bands) };
}

export function isThresholdKey(key: string): boolean {
  return thresholdKeys.some((name) => name === key);
}

function withoutThreshold({ layer, numbers }: SavedLayer): SavedLayer {
  const kept = Object.entries(numbers).filter(([key]) => !isThresholdKey(key));
  return { layer, numbers: Object.fromEntries(kept) };
}
