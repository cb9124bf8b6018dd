import { bandsOf } from './bands.ts';
import { layerDimensions } from './dimensions.ts';
import type { LayerDimensions, SingularValues } from './dimensions.ts';
import type { ProfileSpectra } from './figures.ts';
import type { Report, SequenceReport, SequenceReports, ViewLayerReport } from './report.ts';
import { checkThreshold } from './threshold.ts';
import { spectrumName } from './views.ts';
import type { ViewName } from './views.ts';

/** The fields of a layer that depend on the threshold. */
type OfThreshold = Pick<
  LayerDimensions,
  'effective_dimension' | 'effective_index' | 'percent_of_rank' | 'notebook_percent'
>;

/**
 * A report as it would be at another threshold, from the singular values of its run. Nothing but the effective
 * dimension and what follows from it changes. Named activations have no singular values here, so they lose these
 * fields; so do views of runs that kept no singular values of them.
 * @throws InputError if the threshold is not a percent
 */
export function reportAtThreshold(report: Report, spectra: ProfileSpectra, threshold: number): Report {
  checkThreshold(threshold);
  if (threshold === report.threshold) return report;
  const sequences = Object.fromEntries(
    Object.entries(report.sequences).map(([name, sequence]) => [
      name,
      sequenceAt(name, sequence, spectra, report.model.width, threshold),
    ]),
  ) as unknown as SequenceReports;
  const { bands, ...others } = report;
  const groups = Object.entries(bands ?? {}).map(([name, band]) => ({ name, ...band }));
  return { ...others, threshold, sequences, ...(bands && { bands: bandsOf(sequences, groups) }) };
}

function sequenceAt(
  name: string,
  sequence: SequenceReport,
  spectra: ProfileSpectra,
  width: number,
  threshold: number,
): SequenceReport {
  const { views, layers, ...others } = sequence;
  const all = spectra[name];
  if (all?.length !== layers.length) return sequence;
  delete others.hooks;
  return {
    ...others,
    layers: layers.map((layer, index) => ({
      ...layer,
      ...ofThreshold(layerDimensions(all[index]!, sequence.ids.length, width, threshold)),
    })),
    ...(views && {
      views: Object.fromEntries(
        Object.entries(views).map(([view, { layers: own }]) => {
          const values = spectra[spectrumName(name, view as ViewName)];
          return [view, { layers: own.map((layer, index) => viewAt(layer, values?.[index], threshold)) }];
        }),
      ),
    }),
  };
}

function ofThreshold(dimensions: LayerDimensions): OfThreshold {
  const { effective_dimension, effective_index, percent_of_rank, notebook_percent } = dimensions;
  return { effective_dimension, effective_index, percent_of_rank, notebook_percent };
}

/** @param values of the view; undefined if the run kept none */
function viewAt(
  layer: ViewLayerReport,
  values: SingularValues | undefined,
  threshold: number,
): ViewLayerReport {
  if ('same_as' in layer || layer.effective_dimension === undefined) return layer;
  const others = { ...layer };
  if (values) {
    const own = values.subarray(0, Math.min(layer.rows, layer.columns));
    return { ...others, ...ofThreshold(layerDimensions(own, layer.rows, layer.columns, threshold)) };
  }
  delete others.effective_dimension;
  delete others.effective_index;
  delete others.percent_of_rank;
  delete others.notebook_percent;
  return others;
}
