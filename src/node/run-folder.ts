import { join } from 'node:path';
import { isUsual } from '../analysis/profile-sequences.ts';
import type { Sampling } from '../analysis/profile-sequences.ts';
import { samplingReport } from '../analysis/build-report.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { MeasuredReport, Report, SamplingReport, SequenceName, TextReport } from '../analysis/report.ts';
import type { ModelConfig } from '../engine/config.ts';
import { budgets } from '../engine/budgets.ts';
import { FileError } from '../engine/errors.ts';
import { readTextFile } from './files.ts';

/** What makes two runs the same: they give the same numbers, except for rounding and changes of a model's files. */
export interface RunIdentity {
  readonly id: string;
  readonly revision: string | null;
  readonly config: Pick<ModelConfig, 'architecture' | 'layers' | 'width' | 'heads' | 'vocabulary'>;
  readonly text: TextReport | null;
  readonly ids: Readonly<Record<SequenceName, ArrayLike<number>>>;
  readonly seed: number;
  readonly threshold: number;
  /** What was asked for besides the usual. */
  readonly measured?: MeasuredReport | undefined;
  /** How many sequences are measured besides the text; default the usual one. */
  readonly sampling?: Sampling | undefined;
  /** Named activations that are measured, by their names with * for the layer's number. */
  readonly hooks: readonly string[];
}

/**
 * Refuses, before long work, a folder that holds another run's report. The same run may be repeated.
 * @throws FileError naming the folder, what differs and what to do
 */
export async function claimFolder(folder: string, run: RunIdentity): Promise<void> {
  const text = await readReport(folder);
  const difference = text === undefined ? undefined : differenceFrom(text, run);
  if (difference !== undefined)
    throw FileError.at(
      folder,
      `holds the report of another run (${difference}); give --out FOLDER to keep both, or --force to overwrite it`,
    );
}

/**
 * The folder for a run that is done: the claimed one, unless a run of the same name gave other numbers there. Two
 * checkpoints of one training differ only in their weights. Then it is the first of FOLDER-2, FOLDER-3 … that holds no
 * report, or this run's.
 */
export async function folderFor(folder: string, run: RunIdentity, report: Report): Promise<string> {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? folder : `${folder}-${number}`;
    const text = await readReport(candidate);
    if (text === undefined) return candidate;
    if (differenceFrom(text, run) === undefined && isAlike(text, report)) return candidate;
  }
}

/** @returns the text of a folder's report.json; undefined if there is none */
export async function readReport(folder: string): Promise<string | undefined> {
  return readTextFile(join(folder, 'report.json'), budgets.report);
}

/** Whether two reports differ only by the rounding of different GPUs. */
function isAlike(text: string, now: Report): boolean {
  try {
    const before = JSON.parse(text) as Report;
    return sequenceNames.every((name) =>
      now.sequences[name].layers.every((layer, index) => {
        const other = before.sequences[name].layers[index]?.participation_ratio ?? 0;
        const ratio = layer.participation_ratio ?? 0;
        return Math.abs(ratio - other) <= 1e-3 * ratio;
      }),
    );
  } catch {
    return false; // without the fields of a report
  }
}

function samplingOfRun({ sampling }: RunIdentity): SamplingReport | undefined {
  return sampling && !isUsual(sampling) ? samplingReport(sampling) : undefined;
}

function describeSampling(sampling: SamplingReport | undefined): string {
  if (!sampling) return '1 shuffle';
  const { shuffles, shuffle_blocks: blocks, windows } = sampling;
  return [
    `${shuffles} ${shuffles === 1 ? 'shuffle' : 'shuffles'}`,
    ...(blocks.length > 0 ? [`blocks of ${blocks.join(', ')}`] : []),
    ...(windows > 1 ? [`${windows} windows`] : []),
  ].join(', ');
}

function namesOf(hooks: readonly string[]): string | undefined {
  return hooks.length === 0 ? undefined : [...hooks].sort().join(' ');
}

/** How the run of a report.json differs from this one, in words; undefined if it does not. */
function differenceFrom(reportText: string, run: RunIdentity): string | undefined {
  try {
    return firstDifference(JSON.parse(reportText) as Report, run);
  } catch {
    return 'its report.json cannot be read'; // not JSON, or without the fields of a report
  }
}

function firstDifference(report: Report, run: RunIdentity): string | undefined {
  const { model, text, sequences } = report;
  const shapeOf = ({ architecture, layers, width, heads, vocabulary }: RunIdentity['config']) =>
    `${architecture} of ${layers} layers, width ${width}, ${heads} heads, vocabulary ${vocabulary}`;
  const facts: readonly (readonly [name: string, before: unknown, now: unknown])[] = [
    ['model', model.id, run.id],
    ['revision', model.revision, run.revision],
    ['model', shapeOf(model), shapeOf(run.config)],
    ['threshold', report.threshold, run.threshold],
    ['seed', report.seed, run.seed],
    ['tokens', sequences.real.ids.length, run.ids.real.length],
    ['start', text?.start, run.text?.start],
    ['measures', report.measured?.measures.join(), run.measured?.measures.join()],
    ['views', report.measured?.views.join(), run.measured?.views.join()],
    [
      'without dimensions',
      report.measured?.without_dimensions.join(),
      run.measured?.without_dimensions.join(),
    ],
    ['sampling', describeSampling(report.sampling), describeSampling(samplingOfRun(run))],
    ['activations', namesOf(Object.keys(sequences.real.hooks ?? {})), namesOf(run.hooks)],
  ];
  for (const [name, before, now] of facts)
    if (before !== now) return `${name} ${String(before ?? 'none')}, not ${String(now ?? 'none')}`;
  if (text?.sha256 !== run.text?.sha256) return 'of another text';
  const isSame = sequenceNames.every(
    (name) => sequences[name].ids.join() === Array.from(run.ids[name]).join(),
  );
  return isSame ? undefined : 'of other tokens';
}
