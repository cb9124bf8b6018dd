import { grouped } from '../quantities.ts';
import type { SavedRun } from './run.ts';

/** Something that may differ between runs. */
interface Fact {
  /** By what two values differ. */
  of(run: SavedRun): string | number | null;
  /** How a legend shows it: the short form first, others where that does not tell the values apart. */
  readonly shows: readonly ((run: SavedRun) => string)[];
  /**
   * Named only if nothing before it tells runs apart: that two models differ in their shapes, and two texts in where
   * their middle is, is clear without it.
   */
  readonly isConsequence?: boolean;
  /** Said of all runs, where it is the same in all. */
  readonly isShared?: boolean;
  /** Whether it says something of these sequences; default yes. */
  readonly concerns?: (sequences: readonly string[]) => boolean;
}

const tokensOf = ({ report }: SavedRun) => report.sequences.get('real')!.ids.length;

/** What runs may differ in, the most important first. */
const facts: readonly Fact[] = [
  { of: ({ report }) => report.model.id, shows: [({ report }) => report.model.id], isShared: true },
  {
    of: ({ report }) => report.model.revision,
    shows: [
      ({ report }) => (report.model.revision ?? 'no revision').slice(0, 7),
      ({ report }) => report.model.revision ?? 'no revision',
    ],
    isConsequence: true,
  },
  {
    of: ({ report: { model } }) => `${model.architecture} ${model.layers} ${model.width}`,
    shows: [({ report: { model } }) => `${model.architecture}, ${model.layers} × ${model.width}`],
    isConsequence: true,
  },
  {
    of: ({ report }) => report.model.dtype,
    shows: [({ report }) => report.model.dtype],
    isConsequence: true,
  },
  {
    of: ({ report }) => report.text && report.text.sha256,
    shows: [
      ({ report }) => (report.text ? lastPart(report.text.source) : 'given ids'),
      ({ report }) => (report.text ? report.text.source : 'given ids'),
      ({ report: { text } }) => (text ? `${lastPart(text.source)} ${text.sha256.slice(0, 7)}` : 'given ids'),
    ],
    isShared: true,
  },
  {
    of: (run) => tokensOf(run),
    shows: [(run) => `${grouped(tokensOf(run))} ${tokensOf(run) === 1 ? 'token' : 'tokens'}`],
    isShared: true,
  },
  {
    of: ({ report }) => report.text && report.text.start,
    shows: [({ report }) => (report.text ? `from token ${grouped(report.text.start)}` : 'given ids')],
    isConsequence: true,
  },
  {
    of: ({ report }) => report.seed,
    shows: [({ report }) => `seed ${report.seed}`],
    isShared: true,
    concerns: (sequences) => sequences.some((name) => name !== 'real'),
  },
  {
    of: ({ report }) => report.threshold,
    shows: [({ report }) => `threshold ${report.threshold}%`],
    isShared: true,
  },
  {
    of: ({ report }) => report.withoutDimensions.join(),
    shows: [({ report }) => `without dimensions ${report.withoutDimensions.join(', ') || 'none'}`],
    isConsequence: true,
  },
  {
    of: ({ report }) => report.adapter,
    shows: [({ report }) => report.adapter],
    isConsequence: true,
  },
  {
    of: ({ report }) => report.laminar,
    shows: [({ report }) => `laminar ${report.laminar}`],
    isConsequence: true,
  },
  { of: ({ source }) => source, shows: [lastOfSource, ({ source }) => source], isConsequence: true },
];

/** Names of runs that say what differs between them and nothing else, and what is the same in all of them. */
export interface RunLabels {
  /** One for each run, no two alike. */
  readonly labels: readonly string[];
  /** For a subtitle. */
  readonly shared: readonly string[];
}

/** @param sequences that are shown: the seed of a shuffle does not matter for the text itself */
export function runLabels(runs: readonly SavedRun[], sequences: readonly string[]): RunLabels {
  const chosen: ((run: SavedRun) => string)[] = [];
  const shared: string[] = [];
  let groups: readonly (readonly SavedRun[])[] = [runs];
  for (const { of, shows, isConsequence = false, isShared = false, concerns } of facts) {
    if (concerns?.(sequences) === false) continue;
    if (countOf(runs, of) === 1) {
      if (isShared) shared.push(shows[0]!(runs[0]!));
      continue;
    }
    const splits = groups.some((group) => countOf(group, of) > 1);
    if (isConsequence && !splits) continue;
    chosen.push(shows.find((show) => countOf(runs, show) === countOf(runs, of)) ?? shows.at(-1)!);
    groups = groups.flatMap((group) => grouping(group, of));
  }
  // A single run has nothing to differ from; its model's name is its label.
  const shown = chosen.length > 0 ? chosen : [({ report }: SavedRun) => report.model.id];
  const labels = runs.map((run) => shown.map((show) => show(run)).join(' · '));
  return { labels: labels.map((label, index) => numbered(label, labels.slice(0, index))), shared };
}

/** Runs of one name and place, as a page may hold them, are told apart by a number. */
function numbered(label: string, before: readonly string[]): string {
  const same = before.filter((other) => other === label).length;
  return same === 0 ? label : `${label} (${same + 1})`;
}

function grouping(runs: readonly SavedRun[], of: Fact['of']): SavedRun[][] {
  return [...new Set(runs.map(of))].map((value) => runs.filter((run) => of(run) === value));
}

function countOf(runs: readonly SavedRun[], of: (run: SavedRun) => unknown): number {
  return new Set(runs.map(of)).size;
}

function lastPart(path: string): string {
  return (
    path
      .replace(/[?#].*$/, '')
      .split(/[\\/]+/)
      .filter(Boolean)
      .at(-1) ?? path
  );
}

function lastOfSource({ source }: SavedRun): string {
  return lastPart(source.replace(/[\\/]report\.json$/, ''));
}
