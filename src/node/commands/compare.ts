import type { Command } from 'commander';
import { Option } from 'commander';
import { compareRuns } from '../../analysis/compare/compare.ts';
import type { CompareOptions, Comparison } from '../../analysis/compare/compare.ts';
import type { Abscissa } from '../../analysis/compare/figure.ts';
import { comparedMeasures } from '../../analysis/compare/measures.ts';
import type { SavedRun } from '../../analysis/compare/run.ts';
import { rowColumns } from '../../analysis/compare/table.ts';
import { visibleTexts } from '../../analysis/figure-svg.ts';
import { jsonText } from '../../analysis/json.ts';
import { fixed } from '../../analysis/quantities.ts';
import { laminarVersion } from '../../analysis/report.ts';
import { readThreshold } from '../../analysis/threshold.ts';
import { viewFlags } from '../../analysis/views.ts';
import { FileError, InputError } from '../../engine/errors.ts';
import { withWords } from '../completion/declarations.ts';
import { figureFileNames, writeFigures } from '../figure-files.ts';
import { FileSet } from '../file-set.ts';
import { commaSeparated, nonEmpty } from '../options.ts';
import { holdsReport, readRun } from '../saved-run.ts';
import { formatTable } from '../table.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

interface CompareFlags {
  readonly out?: string;
  readonly x?: Abscissa;
  readonly sequence?: string[];
  readonly views?: string[];
  readonly measure?: string[];
  readonly threshold?: number;
  readonly json?: boolean;
}

/** `laminar compare`: any number of runs, compared in one table and in figures. */
export function addCompareCommand(program: Command, context: CommandContext): void {
  program
    .command('compare')
    .description('compare the profiles of several runs: one CSV file, and figures')
    .argument('<runs...>', 'folders that laminar profile wrote, or report.json files')
    .option('--out <folder>', 'where compare.csv and the figures go', nonEmpty('--out'))
    .addOption(
      new Option(
        '--x <axis>',
        'the horizontal axis: the number of the layer, or layer / layers of the model',
      ).choices(['layer', 'depth']),
    )
    .option(
      '--sequence <names>',
      "sequences to show; * is any run of characters, as in 'block_*' (default: real and shuffled)",
      commaSeparated('--sequence'),
    )
    .addOption(
      withWords(
        new Option(
          '--views <names>',
          'views to draw, side by side, of those that the runs were asked for (default: all, the states as they are)',
        ).argParser(commaSeparated('--views')),
        [...Object.keys(viewFlags), 'without-dimensions'],
      ),
    )
    .addOption(
      withWords(
        new Option(
          '--measure <names>',
          'measures to draw, by their names in profile.csv, or all (default: effective dimension, percent of rank, rank, participation ratio, and what every run was asked for)',
        ).argParser(commaSeparated('--measure')),
        ['all', ...comparedMeasures.map(({ key }) => key)],
      ),
    )
    .option(
      '--threshold <percent>',
      'compute effective dimensions again, from the singular values next to the reports',
      readThreshold,
    )
    .option('--json', 'print the rows as JSON')
    .action(async (paths: string[], flags: CompareFlags) => {
      await compare(paths, flags, context);
    });
}

async function compare(
  paths: readonly string[],
  flags: CompareFlags,
  context: CommandContext,
): Promise<void> {
  const { out, threshold, json = false } = flags;
  if (out === undefined && !json)
    throw new InputError('--out is missing; name the folder for the table and the figures, or give --json');
  if (out !== undefined) {
    if (await holdsReport(out))
      throw FileError.at(out, 'holds the report of a run; give another folder to --out');
  }
  const onNotice = (line: string) => {
    context.terminal.notice(line);
  };
  await using files =
    out === undefined ? undefined : await FileSet.open(out, comparisonFileNames, { onNotice });
  const runs: SavedRun[] = [];
  for (const path of paths) runs.push(await readRun(path, threshold));
  const { x, sequence: sequences, views, measure: measures } = flags;
  const options: CompareOptions = { x, sequences, views, measures };
  const comparison = compareRuns(runs, options);
  comparison.notices.forEach(onNotice);
  if (files) await writeComparison(files, comparison, context);
  if (json) process.stdout.write(comparisonJson(comparison));
  else printText(describeComparison(comparison, out!));
}

/** Every file that a comparison may write, the table last. */
const comparisonFileNames: readonly string[] = [
  ...figureFileNames(comparedMeasures.map(({ key }) => key.replaceAll('_', '-'))),
  'compare.csv',
];

/** Draws the figures and puts them in place with the table, all at once. */
async function writeComparison(
  files: FileSet,
  comparison: Comparison,
  { signal, terminal }: CommandContext,
): Promise<void> {
  const onProgress = terminal.stage('figures');
  const figures = comparison.figures().map((figure) => visibleTexts(figure));
  await writeFigures(files, figures, { signal, onFigure: (done) => onProgress(done, figures.length) });
  onProgress(figures.length, figures.length);
  await files.write('compare.csv', comparison.csv());
  signal.throwIfAborted();
  await files.commit();
  terminal.endStages();
}

function comparisonJson(comparison: Comparison): string {
  const { runs, labels, shared, x, sequences, views, measures, rows, notices } = comparison;
  const columns = rowColumns(rows);
  return jsonText(
    {
      laminar: laminarVersion,
      x,
      sequences,
      views,
      measures: measures.map(({ key }) => key),
      shared,
      runs: runs.map(({ source }, index) => ({ run: labels[index], source })),
      notices,
      rows: rows.map((row) => Object.fromEntries(columns.map((column) => [column.key, column.of(row)]))),
    },
    'the comparison',
  );
}

/** A row for each run, sequence and view: its mean over the layers, with the lowest and the highest layer. */
function describeComparison({ runs, labels, shared, sequences, views }: Comparison, folder: string): string {
  const hasViews = views.some((view) => view !== 'all');
  const header = ['run', 'sequence', ...(hasViews ? ['view'] : []), 'layers'];
  const rows = runs.flatMap(({ report }, index) =>
    sequences.flatMap((name) =>
      views.flatMap((view) => {
        const layers = report.sequences.get(name)?.views.get(view);
        if (!layers) return [];
        const of = (key: string) => layers.map(({ numbers }) => numbers[key] ?? null);
        const dimensions = of('effective_dimension');
        const known = dimensions.filter((value) => value !== null);
        const at = (value: number) => `${value} (layer ${layers[dimensions.indexOf(value)]!.layer})`;
        return [
          [
            labels[index]!,
            name,
            ...(hasViews ? [view.replaceAll('_', ' ')] : []),
            String(layers.length - 1),
            fixed(mean(known), 1),
            known.length === 0 ? '–' : at(Math.min(...known)),
            known.length === 0 ? '–' : at(Math.max(...known)),
            fixed(mean(of('percent_of_rank')), 1),
            fixed(mean(of('participation_ratio')), 2),
          ],
        ];
      }),
    ),
  );
  const table = formatTable([...header, 'mean', 'lowest', 'highest', 'mean', 'mean'], rows, [
    ['', header.length],
    ['effective dimension', 3],
    ['% of rank', 1],
    ['participation', 1],
  ]);
  return `${shared.length > 0 ? `the same in all: ${shared.join(', ')}\n\n` : ''}${table}\ntable and figures: ${folder}\n`;
}

/** The mean of the numbers that are not null; null if there are none. */
function mean(values: readonly (number | null)[]): number | null {
  const numbers = values.filter((value) => value !== null);
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0) / numbers.length;
}
