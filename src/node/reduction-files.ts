import { reductionCsv, stateChangesCsv } from '../analysis/reduction/csv.ts';
import { reductionFigureNames, reductionFigures } from '../analysis/reduction/figures.ts';
import { reductionJson } from '../analysis/reduction/report.ts';
import type { ReductionReport } from '../analysis/reduction/report.ts';
import { FileError } from '../engine/errors.ts';
import { figureFileNames, writeFigures } from './figure-files.ts';
import type { FileSet } from './file-set.ts';
import { readReport } from './run-folder.ts';
import type { StageProgress } from './terminal.ts';

/** What makes two runs of `laminar reduce` the same. */
export type ReductionIdentity = Pick<ReductionReport, 'text' | 'seed' | 'reduction'> & {
  readonly model: Pick<ReductionReport['model'], 'id' | 'revision'>;
  /** The token ids, by the sequences' names. */
  readonly ids: Readonly<Record<string, ArrayLike<number>>>;
};

/**
 * Refuses, before long work, a folder that holds another run's report. The same run may be repeated.
 * @throws FileError naming the folder and what to do
 */
export async function claimReductionFolder(folder: string, run: ReductionIdentity): Promise<void> {
  const text = await readReport(folder);
  if (text === undefined || isSame(text, run)) return;
  throw FileError.at(
    folder,
    'holds the report of another run; give --out FOLDER to keep both, or --force to overwrite it',
  );
}

function isSame(reportText: string, run: ReductionIdentity): boolean {
  try {
    const { model, text, seed, reduction, sequences } = JSON.parse(reportText) as ReductionReport;
    const facts = (of: Omit<ReductionIdentity, 'ids'>, ids: ReductionIdentity['ids']) =>
      JSON.stringify([
        of.model.id,
        of.model.revision,
        of.text?.sha256,
        of.text?.start,
        of.seed,
        of.reduction,
        Object.entries(ids).map(([name, values]) => [name, Array.from(values)]),
      ]);
    const before = Object.fromEntries(Object.entries(sequences).map(([name, { ids }]) => [name, ids]));
    return facts({ model, text, seed, reduction }, before) === facts(run, run.ids);
  } catch {
    return false; // not JSON, or without the fields of such a report
  }
}

/** Every file that a run may write, drawn or not, the report last: if it is there, so are the others. */
export const reductionFileNames: readonly string[] = [
  ...figureFileNames(reductionFigureNames),
  'state-changes.csv',
  'reduce.csv',
  'report.json',
];

/**
 * Writes the files of a run and puts them in place, all at once.
 * @throws FileError if one cannot be written
 */
export async function writeReductionFiles(
  files: FileSet,
  report: ReductionReport,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: StageProgress },
): Promise<void> {
  const figures = reductionFigures(report);
  const total = figures.length + 1;
  await writeFigures(files, figures, { signal, onFigure: (done) => onProgress(done, total) });
  await files.write('state-changes.csv', stateChangesCsv(report));
  await files.write('reduce.csv', reductionCsv(report));
  await files.write('report.json', reductionJson(report));
  await files.commit();
  onProgress(total, total);
}
