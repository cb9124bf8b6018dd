import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { allMeasures } from '../analysis/measures/table.ts';
import { isUsual } from '../analysis/profile-sequences.ts';
import type { Sampling } from '../analysis/profile-sequences.ts';
import { profileDefaults, samplingReport, sequenceNames } from '../analysis/report.ts';
import type { MeasuredReport, Report, SamplingReport, SequenceName, TextReport } from '../analysis/report.ts';
import type { ModelConfig } from '../engine/config.ts';
import { FileError } from '../engine/errors.ts';
import { fileErrorFrom, systemErrorCode } from './file-errors.ts';
import type { SamplingFlags } from './sampling-options.ts';
import type { TokenFlags } from './token-source.ts';
import type { ViewFlags } from './view-options.ts';

/** The flags that name a run's folder, beside its model. */
export interface RunFlags extends TokenFlags, ViewFlags, SamplingFlags {
  readonly seed: number;
  readonly threshold: number;
  readonly revision?: string;
  /** Names of activations that are measured, too. */
  readonly at?: readonly string[];
}

/** The revision of a model of the hub where none is asked for. */
export const USUAL_REVISION = 'main';
/** Of each part of a folder's name; file systems take 255 bytes in all. */
const LONGEST_PART = 40;

/**
 * The folder of a run that names none: out/MODEL, and what differs from the defaults, such as
 * out/alice-gpt2-text-rabbit-tokens-64-seed-29.
 */
export function defaultFolder(modelId: string, flags: RunFlags): string {
  const { text, ids, tokens, start, seed, threshold, revision, at, measures, views, withoutDimensions } =
    flags;
  const { shuffles = 1, shuffleBlocks = [], windows = 1 } = flags;
  const parts: readonly (readonly [name: string, value: string | number | undefined])[] = [
    ['revision', revision === USUAL_REVISION ? undefined : revision],
    ['text', text && baseName(text)],
    ['ids', ids && baseName(ids)],
    ['start', start],
    ['tokens', tokens],
    ['seed', seed === profileDefaults.seed ? undefined : seed],
    ['threshold', threshold === profileDefaults.threshold ? undefined : threshold],
    ['shuffles', shuffles === 1 ? undefined : shuffles],
    ['blocks', shuffleBlocks.length === 0 ? undefined : shuffleBlocks.join('-')],
    ['windows', windows === 1 ? undefined : windows],
    ['measures', measures && (measures.length === allMeasures.length ? 'all' : measures.join('-'))],
    ['views', views?.join('-')],
    ['without', withoutDimensions?.join('-')],
    ['at', at?.join('-')],
  ];
  return folderNamed(modelId, parts);
}

/** out/MODEL, and each part that has a value. */
export function folderNamed(
  modelId: string,
  parts: readonly (readonly [name: string, value: string | number | undefined])[],
): string {
  const suffix = parts
    .map(([name, value]) => (value === undefined ? '' : `-${name}-${plain(value)}`))
    .join('');
  return join('out', `${modelId}${suffix}`);
}

/** A file's or an address's last part, without its ending. */
export function baseName(path: string): string {
  const name =
    path
      .replace(/[?#].*$/, '')
      .split(/[\\/]+/)
      .filter(Boolean)
      .at(-1) ?? '';
  return name.replace(/(.)\.[^.]*$/, '$1');
}

/** A value as a part of a folder's name: letters, digits, dots and dashes. */
function plain(value: string | number): string {
  const text = String(value)
    .normalize('NFC')
    .replace(/[^\p{L}\p{M}\p{N}._]+/gu, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return Array.from(text).slice(0, LONGEST_PART).join('') || 'other';
}

/** What makes two runs the same: they give the same numbers, but for rounding and what a model's files hold. */
export interface RunIdentity {
  readonly id: string;
  readonly revision: string | null;
  readonly config: Pick<ModelConfig, 'architecture' | 'layers' | 'width' | 'heads' | 'vocabulary'>;
  readonly text: TextReport | null;
  readonly ids: Readonly<Record<SequenceName, ArrayLike<number>>>;
  readonly seed: number;
  readonly threshold: number;
  /** What was asked for beside the usual. */
  readonly measured?: MeasuredReport | undefined;
  /** How many sequences are measured beside the text; default the usual one. */
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
    throw new FileError(
      `${folder}: holds the report of another run (${difference}); give --out FOLDER to keep both, or --force to overwrite it`,
    );
}

/**
 * The folder for a run that is done: the claimed one, unless a run of the same name gave other numbers there. Two
 * checkpoints of one training are alike in all but their weights. Then it is the first of FOLDER-2, FOLDER-3 … that holds
 * no report, or this run's.
 */
export async function folderFor(folder: string, run: RunIdentity, report: Report): Promise<string> {
  for (let number = 1; ; number += 1) {
    const candidate = number === 1 ? folder : `${folder}-${number}`;
    const text = await readReport(candidate);
    if (text === undefined) return candidate;
    if (differenceFrom(text, run) === undefined && isAlike(JSON.parse(text) as Report, report))
      return candidate;
  }
}

/** @returns the text of a folder's report.json; undefined where there is none */
export async function readReport(folder: string): Promise<string | undefined> {
  const path = join(folder, 'report.json');
  return readFile(path, 'utf8').catch((error: unknown) => {
    const code = systemErrorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileErrorFrom(error, path, 'read the file');
  });
}

/** Whether two reports differ by no more than what one GPU rounds otherwise than another. */
function isAlike(before: Report, now: Report): boolean {
  return sequenceNames.every((name) =>
    now.sequences[name].layers.every((layer, index) => {
      const other = before.sequences[name].layers[index]?.participation_ratio ?? 0;
      const ratio = layer.participation_ratio ?? 0;
      return Math.abs(ratio - other) <= 1e-3 * ratio;
    }),
  );
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

/** What tells the run of a report.json from this one, in words; undefined where nothing does. */
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
