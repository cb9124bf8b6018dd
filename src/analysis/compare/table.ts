import type { Column, Field } from '../csv.ts';
import { comparedMeasures } from './measures.ts';
import { placeOf } from './figure.ts';
import type { ComparedRuns } from './figure.ts';

/** A layer of a sequence of a run, by the names of columns. */
export type ComparedRow = Readonly<Record<string, Field>>;

const before = ['run', 'sequence', 'layer', 'relative_depth'];
/** What profile.csv has after its measures, and where the run came from. */
const after = [
  'view',
  'model',
  'revision',
  'text',
  'window_start',
  'tokens',
  'seed',
  'threshold',
  'kind',
  'block',
  'mean_max_log_softmax',
  'mean_loss',
  'laminar',
  'source',
];

/** A row for each run, sequence, view and layer. */
export function comparedRows({ runs, labels, sequences }: ComparedRuns): ComparedRow[] {
  return runs.flatMap((run, index) => {
    const { report, source } = run;
    return sequences.flatMap((sequence) => {
      const own = report.sequences.get(sequence);
      return [...(own?.views ?? [])].flatMap(([view, layers]) =>
        layers.map(({ layer, numbers }): ComparedRow => ({
          run: labels[index]!,
          sequence,
          layer,
          relative_depth: placeOf(run, layer, 'depth'),
          ...numbers,
          view,
          model: report.model.id,
          revision: report.model.revision,
          text: report.text && report.text.source,
          window_start: own!.start ?? (report.text && report.text.start),
          tokens: own!.ids.length,
          seed: own!.seed ?? report.seed,
          threshold: report.threshold,
          kind: own!.kind,
          block: own!.block,
          mean_max_log_softmax: own!.meanLogSoftmax,
          mean_loss: own!.meanLoss,
          laminar: report.laminar,
          source,
        })),
      );
    });
  });
}

/** The columns that any row has, in the order of profile.csv. */
export function rowColumns(rows: readonly ComparedRow[]): Column<ComparedRow>[] {
  const present = new Set(rows.flatMap((row) => Object.keys(row)));
  return [...before, ...comparedMeasures.map(({ key }) => key), ...after]
    .filter((key) => present.has(key))
    .map((key) => ({ key, of: (row) => row[key] ?? null }));
}
