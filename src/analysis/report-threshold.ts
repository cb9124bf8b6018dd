import { bandsOf } from './bands.ts';
import { layerDimensions } from './dimensions.ts';
import type { LayerDimensions } from './dimensions.ts';
import type { ProfileSpectra } from './figures.ts';
import type { Report, SequenceReport, SequenceReports, ViewLayerReport } from './report.ts';
import { checkThreshold } from './threshold.ts';

/** What a threshold changes in a layer. */
type OfThreshold = Pick<
  LayerDimensions,
  'effective_dimension' | 'effective_index' | 'percent_of_rank' | 'notebook_percent'
>;

/**
 * A report as it would be at another threshold, from the singular values of its run. Nothing but the effective dimension
 * and what follows from it changes. Views and named activations have no singular values here, so they lose it.
 * @throws InputError if the threshold is not a percent
 */
export function reportAtThreshold(report: Report, spectra: ProfileSpectra, threshold: number): Report {
  checkThreshold(threshold);
  if (threshold === report.threshold) return report;
  const sequences = Object.fromEntries(
    Object.entries(report.sequences).map(([name, sequence]) => [
      name,
      sequenceAt(sequence, spectra[name], report.model.width, threshold),
    ]),
  ) as unknown as SequenceReports;
  const { bands, ...others } = report;
  const groups = Object.entries(bands ?? {}).map(([name, band]) => ({ name, ...band }));
  return { ...others, threshold, sequences, ...(bands && { bands: bandsOf(sequences, groups) }) };
}

function sequenceAt(
  sequence: SequenceReport,
  spectra: ProfileSpectra[string] | undefined,
  width: number,
  threshold: number,
): SequenceReport {
  const { views, layers, ...others } = sequence;
  if (spectra?.length !== layers.length) return sequence;
  delete others.hooks;
  return {
    ...others,
    layers: layers.map((layer, index) => ({
      ...layer,
      ...ofThreshold(layerDimensions(spectra[index]!, sequence.ids.length, width, threshold)),
    })),
    ...(views && {
      views: Object.fromEntries(
        Object.entries(views).map(([name, { layers: own }]) => [
          name,
          { layers: own.map((layer) => withoutThreshold(layer)) },
        ]),
      ),
    }),
  };
}

function ofThreshold(dimensions: LayerDimensions): OfThreshold {
  const { effective_dimension, effective_index, percent_of_rank, notebook_percent } = dimensions;
  return { effective_dimension, effective_index, percent_of_rank, notebook_percent };
}

function withoutThreshold(layer: ViewLayerReport): ViewLayerReport {
  if ('same_as' in layer) return layer;
  const others = { ...layer };
  delete others.effective_dimension;
  delete others.effective_index;
  delete others.percent_of_rank;
  delete others.notebook_percent;
  return others;
}
