import type { LayerDimensions } from '../analysis/dimensions.ts';
import { middleLayer } from '../analysis/figures.ts';
import { findings } from '../analysis/findings.ts';
import { counted, formatPercent } from '../analysis/quantities.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { Report, SequenceName } from '../analysis/report.ts';
import { countedComponents } from '../analysis/threshold.ts';
import { bandTable } from './profile-bands.ts';
import { describeComparisons } from './profile-comparisons.ts';
import { describeLogits } from './profile-logits.ts';
import { formatTable } from './table.ts';
import { terminalAbilities } from './terminal-abilities.ts';
import { textPlot } from './text-plot.ts';

/** The effective dimension of each layer, drawn in letters. */
export function plotOf({ sequences }: Report): string {
  const curve = (name: SequenceName) => ({
    label: name,
    values: sequences[name].layers.map((layer) => layer.effective_dimension),
  });
  const abilities = terminalAbilities(process.stdout, process.env);
  return textPlot('Effective dimension of each layer', [curve('real'), curve('shuffled')], abilities);
}

/**
 * A table with a row per layer, real next to shuffled, what it says in sentences, and where the files are.
 * @param layer of the sentences; the middle one if absent
 */
export function describeProfile(
  report: Report,
  folder: string,
  layer = middleLayer(report.model.layers),
): string {
  const { model, text, threshold, bands, timings_ms: timings, adapter } = report;
  const length = report.sequences.real.ids.length;
  const from = text
    ? `tokens ${text.start} to ${text.start + length - 1} of ${text.source}`
    : `${length} token ${length === 1 ? 'id' : 'ids'}`;
  const hooks = Object.keys(report.sequences.real.hooks ?? {}).map((hook) => {
    const of = (name: SequenceName) => report.sequences[name].hooks![hook]!;
    const table = bands
      ? bandTable(of('real'), bands, (band) => band.hooks![hook]!)
      : tableOf({ real: of('real'), shuffled: of('shuffled') });
    return `\n${hook}\n${table}`;
  });
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  return [
    `${model.id} (${model.architecture}, ${counted(model.layers, 'layer')} of width ${model.width}), ${from}\n`,
    `Effective dimension: ${countedComponents(threshold)}.\n\n`,
    bands
      ? bandTable(report.sequences.real.layers, bands)
      : tableOf({ real: report.sequences.real.layers, shuffled: report.sequences.shuffled.layers }),
    ...hooks,
    `\n${findings(report, layer).join('\n')}\n`,
    describeComparisons(report),
    describeLogits(report),
    `\nload ${seconds(timings.load)}, forward ${seconds(timings.forward)}, spectrum ${seconds(timings.spectrum)}`,
    ` on ${adapter.description}\nreport, spectra and figures: ${folder}\n`,
  ].join('');
}

/** A row for each layer, real next to shuffled. */
function tableOf(
  layers: Readonly<Record<SequenceName, readonly (LayerDimensions & { layer: number | null })[]>>,
): string {
  const header = ['layer', ...sequenceNames.flatMap(() => ['effective', 'rank', '% of rank'])];
  const rows = layers.real.map(({ layer }, index) => [
    String(layer ?? '-'),
    ...sequenceNames.flatMap((name) => {
      const measured = layers[name][index]!;
      return [
        String(measured.effective_dimension),
        String(measured.rank),
        formatPercent(measured.percent_of_rank),
      ];
    }),
  ]);
  return formatTable(header, rows, [
    ['', 1],
    ['real', 3],
    ['shuffled', 3],
  ]);
}
