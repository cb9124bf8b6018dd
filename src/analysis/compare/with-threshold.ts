import { FormatError } from '../../engine/errors.ts';
import { bandOfNumber } from '../bands.ts';
import { cumulativePercent, effectiveDimension, layerDimensions } from '../dimensions.ts';
import type { SingularValues } from '../dimensions.ts';
import { checkThreshold } from '../threshold.ts';
import { spectrumName } from '../views.ts';
import type { ViewName } from '../views.ts';
import type { SavedSpectra } from './run.ts';
import { percentsOf } from './saved-report.ts';
import type { SavedBand, SavedBandLayer, SavedLayer, SavedReport, SavedSequence } from './saved-report.ts';

/** The numbers that a threshold changes. */
const thresholdKeys = [
  'effective_dimension',
  'effective_index',
  'percent_of_rank',
  'notebook_percent',
] as const;

/**
 * A report as it would be at another threshold, from the singular values that the run left: only the effective dimension
 * and its percents change, and their bands. Views of runs that kept no singular values of them lose those numbers.
 *
 * @param source of the spectra, for messages
 * @returns the report, and the views that lost numbers
 * @throws InputError if the threshold is not a percent
 * @throws FormatError if the spectra are not the report's
 */
export function withThreshold(
  report: SavedReport,
  spectra: SavedSpectra,
  threshold: number,
  source: string,
): { report: SavedReport; lostViews: readonly string[] } {
  checkThreshold(threshold);
  if (threshold === report.threshold) return { report, lostViews: [] };
  const lost = new Set<string>();
  const sequences = new Map(
    [...report.sequences].map(([name, sequence]) => {
      const own = sequenceAt(name, sequence, { report, spectra, threshold, source });
      own.lost.forEach((view) => lost.add(view));
      return [name, own.sequence] as const;
    }),
  );
  const bands = new Map([...report.bands].map(([name, band]) => [name, bandAt(band, sequences)] as const));
  return { report: { ...report, threshold, sequences, bands }, lostViews: [...lost] };
}

function sequenceAt(
  name: string,
  sequence: SavedSequence,
  {
    report: { model },
    spectra,
    threshold,
    source,
  }: { report: SavedReport; spectra: SavedSpectra; threshold: number; source: string },
): { sequence: SavedSequence; lost: readonly string[] } {
  const values = spectra.get(name);
  if (values?.length !== model.layers + 1)
    throw FormatError.at(
      source,
      `has ${values ? `${values.length} rows` : 'nothing'} under ${name}.singular_values, where the report has ${model.layers + 1} layers; profile the model again`,
    );
  const before = sequence.views.get('all')!;
  const all = before.map((layer, index): SavedLayer => {
    const dimensions = layerDimensions(values[index]!, sequence.ids.length, model.width, threshold);
    const changed = thresholdKeys.map((key) => [key, dimensions[key]] as const);
    return { ...layer, numbers: { ...layer.numbers, ...Object.fromEntries(changed) } };
  });
  const others = [...sequence.views].filter(([view]) => view !== 'all');
  const lost: string[] = [];
  const changed = others.map(([view, layers]) => {
    const own = spectra.get(spectrumName(name, view as ViewName));
    const ofView = layers.map((layer) => {
      const same = before.indexOf(layer);
      if (same >= 0) return all[same]!;
      const ofLayer = own?.[layer.layer];
      if (ofLayer === undefined && isMeasured(layer)) lost.push(view);
      return viewLayerAt(layer, ofLayer, threshold);
    });
    return [view, ofView] as const;
  });
  return { sequence: { ...sequence, views: new Map([['all', all] as const, ...changed]) }, lost };
}

const isMeasured = ({ numbers }: SavedLayer) => typeof numbers['effective_dimension'] === 'number';

/** A layer of a view. @param values padded with zeros; undefined if the run kept none, and the numbers are not known */
function viewLayerAt(
  { layer, numbers }: SavedLayer,
  values: SingularValues | undefined,
  threshold: number,
): SavedLayer {
  const { components, rank } = numbers;
  if (!values || typeof components !== 'number' || typeof rank !== 'number')
    return { layer, numbers: withoutThreshold(numbers) };
  const cumulative = cumulativePercent(values.subarray(0, components));
  const dimension = values[0] === 0 ? 0 : effectiveDimension(cumulative, threshold);
  const index = dimension === 0 ? null : dimension - 1;
  return {
    layer,
    numbers: {
      ...numbers,
      effective_dimension: dimension,
      effective_index: index,
      ...percentsOf(dimension, rank),
    },
  };
}

function withoutThreshold(numbers: SavedLayer['numbers']): SavedLayer['numbers'] {
  return Object.fromEntries(Object.entries(numbers).filter(([key]) => !isThresholdKey(key)));
}

/** The bands of the numbers that the threshold changed, over the same sequences; others stay. */
function bandAt({ sequences: names, views }: SavedBand, sequences: SavedReport['sequences']): SavedBand {
  const changed = [...views].map(([view, layers]) => {
    const numberOf = (name: string, layer: number, key: string) =>
      sequences
        .get(name)
        ?.views.get(view)
        ?.find((own) => own.layer === layer)?.numbers[key] ?? null;
    const ofView = layers.map(({ layer, numbers }): SavedBandLayer => {
      const bands = thresholdKeys.flatMap((key) => {
        const members = names.map((name) => ({
          isReal: name === 'real',
          value: numberOf(name, layer, key),
        }));
        const band = numbers.has(key) ? bandOfNumber(members, numberOf('real', layer, key)) : null;
        return band ? [[key, band] as const] : [];
      });
      const others = [...numbers].filter(([key]) => !isThresholdKey(key));
      return { layer, numbers: new Map([...others, ...bands]) };
    });
    return [view, ofView] as const;
  });
  return { sequences: names, views: new Map(changed) };
}

export function isThresholdKey(key: string): boolean {
  return thresholdKeys.some((name) => name === key);
}
