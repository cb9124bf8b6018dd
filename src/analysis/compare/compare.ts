import { option, wording } from '../../engine/error-words.ts';
import { InputError } from '../../engine/errors.ts';
import { listNames } from '../../engine/message.ts';
import { csvText } from '../csv.ts';
import type { Figure } from '../figure.ts';
import { nearNames } from '../../engine/near-names.ts';
import { laminarVersion } from '../report.ts';
import { viewFlags, viewNames } from '../views.ts';
import { comparedFigure } from './figure.ts';
import type { Abscissa, ComparedRuns } from './figure.ts';
import { runLabels } from './labels.ts';
import { chooseMeasures, hasMeasure } from './measures.ts';
import type { ComparedMeasure } from './measures.ts';
import type { SavedRun } from './run.ts';
import { isSameRun } from './same-run.ts';
import { comparedRows, rowColumns } from './table.ts';
import type { ComparedRow } from './table.ts';
import { isThresholdKey } from './with-threshold.ts';

export interface CompareOptions {
  /** Default: the layer if all models have the same number of layers; else the relative depth. */
  readonly x?: Abscissa | undefined;
  /** Names of sequences, * for any characters; default real and shuffled. */
  readonly sequences?: readonly string[] | undefined;
  /** Views of the states to draw, as reports name them or as the command does; default `all`, the states as they are. */
  readonly views?: readonly string[] | undefined;
  /** Columns or names of measures to draw, or all; default the usual ones and those that every run was asked for. */
  readonly measures?: readonly string[] | undefined;
}

/** Several runs, compared. */
export interface Comparison extends ComparedRuns {
  /** What is drawn. */
  readonly measures: readonly ComparedMeasure[];
  /** One for each run, sequence, view and layer. */
  readonly rows: readonly ComparedRow[];
  /** What a reader should know: a sentence each. */
  readonly notices: readonly string[];
  /** The rows as a CSV file; columns have the names of profile.csv. */
  csv(): string;
  /** One for each measure. */
  figures(): Figure[];
}

/**
 * Compares runs: models, texts, seeds, thresholds, revisions and versions may differ. No number is computed again.
 * @param runs at least one; copies of a run are shown once
 * @throws InputError if there is no run, or a name in the options is not known
 */
export function compareRuns(
  given: readonly SavedRun[],
  {
    x,
    sequences: patterns = ['real', 'shuffled'],
    views: namedViews = ['all'],
    measures: named,
  }: CompareOptions = {},
): Comparison {
  if (given.length === 0)
    throw new InputError('there is no run to compare; give at least one', {
      code: 'runs-missing',
      subject: { kind: 'option', name: 'runs' },
    });
  const { runs, notices: copies } = withoutCopies(given);
  const sequences = chooseSequences(runs, patterns);
  const depths = new Set(runs.map(({ report }) => report.model.layers));
  const views = chooseViews(runs, sequences, namedViews);
  const measures = chooseMeasures(runs, { sequences, views }, named);
  const compared: ComparedRuns = {
    runs,
    sequences,
    views,
    x: x ?? (depths.size === 1 ? 'layer' : 'depth'),
    ...runLabels(runs, sequences),
  };
  const rows = comparedRows(compared);
  return {
    ...compared,
    measures,
    rows,
    notices: [
      ...copies,
      ...runs.flatMap((run) => run.notices ?? []),
      ...newer(compared),
      ...missing(compared, measures),
      ...differentThresholds(compared, measures),
    ],
    csv: () => csvText<ComparedRow>(rowColumns(rows), rows),
    figures: () => measures.map((measure) => comparedFigure(compared, measure)),
  };
}

function withoutCopies(given: readonly SavedRun[]): { runs: SavedRun[]; notices: string[] } {
  const runs: SavedRun[] = [];
  const notices: string[] = [];
  for (const run of given) {
    const same = runs.find(({ report }) => isSameRun(report, run.report));
    if (!same) runs.push(run);
    else if (same.source === run.source) notices.push(`${run.source} is given twice; it is shown once`);
    else notices.push(`${run.source} holds the same run as ${same.source}; it is shown once`);
  }
  return { runs, notices };
}

/** Names of sequences, those of all runs in the order in which they first appear. */
function chooseSequences(runs: readonly SavedRun[], patterns: readonly string[]): string[] {
  const known = [...new Set(runs.flatMap(({ report }) => [...report.sequences.keys()]))];
  const chosen = patterns.flatMap((pattern) => {
    const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
    const expression = new RegExp(`^${parts.join('.*')}$`);
    const matching = known.filter((name) => expression.test(name));
    if (matching.length === 0)
      throw new InputError(
        wording`${option('sequence')} ${pattern}: no run has it; ${nearNames(pattern, known)}`,
        { code: 'not-measured', subject: { kind: 'option', name: 'sequence' } },
      );
    return matching;
  });
  return known.filter((name) => chosen.includes(name));
}

/** The views that are named, of those that any run has. */
function chooseViews(
  runs: readonly SavedRun[],
  sequences: readonly string[],
  named: readonly string[],
): string[] {
  const present = new Set(
    runs.flatMap(({ report }) =>
      sequences.flatMap((name) => [...(report.sequences.get(name)?.views.keys() ?? [])]),
    ),
  );
  const flags: Readonly<Record<string, string>> = {
    ...viewFlags,
    'without-dimensions': 'without_dimensions',
  };
  const flagOf = (view: string) => Object.keys(flags).find((flag) => flags[flag] === view) ?? view;
  const wanted = named.map((name) => {
    const view = Object.hasOwn(flags, name) ? flags[name]! : name;
    if (!viewNames.some((known) => known === view))
      throw new InputError(
        wording`${option('views')} ${name} is not known; ${nearNames(name, Object.keys(flags))}`,
        { code: 'name-unknown', subject: { kind: 'option', name: 'views' } },
      );
    if (!present.has(view))
      throw new InputError(
        wording`${option('views')} ${name}: no run has it; profile with ${option(view === 'without_dimensions' ? 'withoutDimensions' : 'views')} to get it. They have ${[...present].map(flagOf).join(', ')}`,
        { code: 'not-measured', subject: { kind: 'option', name: 'views' } },
      );
    return view;
  });
  return viewNames.filter((view) => wanted.includes(view));
}

/** Reports of a later version may hold fields that this version does not read. */
function newer({ runs }: ComparedRuns): string[] {
  return runs.flatMap(({ source, report: { laminar } }) =>
    laminar.localeCompare(laminarVersion, 'en', { numeric: true }) > 0
      ? [
          `${source} was written by laminar ${laminar}; this is ${laminarVersion}, which may not know all of it`,
        ]
      : [],
  );
}

/** Which runs do not have what is drawn of others. */
function missing(
  { runs, labels, sequences, views }: ComparedRuns,
  measures: readonly ComparedMeasure[],
): string[] {
  const without = (has: (run: SavedRun) => boolean) => labels.filter((_, index) => !has(runs[index]!));
  const isThere = ({ report }: SavedRun, view: string) =>
    sequences.some((name) => report.sequences.get(name)?.views.has(view));
  const absent = [
    ...sequences.map((name) => [name, without(({ report }) => report.sequences.has(name))] as const),
    ...views.flatMap((view) => {
      const those = [`the view ${view}`, without((run) => isThere(run, view))] as const;
      const own = measures.map(({ key }) => {
        const lacks = without(
          (run) => !isThere(run, view) || hasMeasure(run, { sequences, views: [view] }, key),
        );
        return [view === 'all' ? key : `${key} of ${view}`, lacks] as const;
      });
      return [those, ...own];
    }),
  ];
  // What is missing in the same runs makes one sentence.
  const byRuns = new Map<string, string[]>();
  for (const [name, those] of absent) {
    if (those.length === 0) continue;
    const where = those.join('; ');
    byRuns.set(where, [...(byRuns.get(where) ?? []), name]);
  }
  return [...byRuns].map(
    ([where, names]) => `${listNames(names)} ${names.length === 1 ? 'is' : 'are'} missing in ${where}`,
  );
}

function differentThresholds({ runs }: ComparedRuns, measures: readonly ComparedMeasure[]): string[] {
  const thresholds = [...new Set(runs.map(({ report }) => report.threshold))];
  if (thresholds.length === 1 || !measures.some(({ key }) => isThresholdKey(key))) return [];
  return [
    `the thresholds differ (${thresholds.map((threshold) => `${threshold}%`).join(', ')}), so effective dimensions are not comparable; ` +
      `compared with a threshold of ${thresholds[0]}%, they are computed again from the singular values that the runs left`,
  ];
}
