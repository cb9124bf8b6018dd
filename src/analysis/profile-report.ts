import type { ModelDescription } from '../engine/description.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { Model } from '../engine/model.ts';
import { checkSequences } from '../engine/sequences.ts';
import type { ProfileSpectra } from './figures.ts';
import { planProfile } from './plan.ts';
import { profileSequences } from './profile.ts';
import type { HookValues, ProfileOptions, ProfileRequest } from './profile.ts';
import { profileSequencesOf, repetitions, sequenceGroups, usualSampling } from './profile-sequences.ts';
import { buildReport } from './build-report.ts';
import type { Report, SequencesBy, TextReport } from './report.ts';
import type { GivenTokens } from './token-ids.ts';

/** What is profiled, in the words of the report. */
export interface ProfileSubject {
  /** A folder's name, or the id on the hub. */
  readonly id: string;
  /** The commit on the hub; null for others. */
  readonly revision: string | null;
  /** It includes as many other windows as the sampling asks for. */
  readonly tokens: GivenTokens;
  /** null if token ids were given. */
  readonly text: TextReport | null;
  /** The seed of the permutation that shuffles, unless the shuffled ids are given. */
  readonly seed: number;
  /** When the whole began, as performance.now() has it; the report's total counts from there. */
  readonly started: number;
}

export interface ProfileReportOptions extends ProfileRequest, ProfileOptions {
  /** Bytes of weights read so far, and in all. */
  readonly onLoad?: (done: number, total: number) => void;
}

/**
 * The laminar profile from a model's files to the report: loads the model within the GPU's bound on memory, runs the tokens and
 * their shuffles, and reduces each state to its spectrum. The command and the page both do just this.
 * @param description stays open, and the caller's
 * @throws InputError, CheckpointError, NumericalError, DeviceError, and the signal's reason if it aborts
 */
export async function profileReport(
  gpu: Gpu,
  description: ModelDescription,
  { id, revision, tokens, text, seed, started }: ProfileSubject,
  options: ProfileReportOptions,
): Promise<{ report: Report; spectra: ProfileSpectra; hookValues: HookValues | undefined }> {
  const { memoryLimit, adapter } = gpu;
  const { signal, onLoad, threshold, request, at, sampling = usualSampling } = options;
  const { config, parameters, dtype } = description;
  const all = profileSequencesOf(tokens, seed, text && text.start, sampling);
  const length = tokens.real.length;
  checkSequences(
    config,
    all.map(({ ids }) => ids),
  ); // before weights are read
  for (const notice of repetitions(all, sequenceGroups(all, sampling, length))) options.onNotice?.(notice);
  const plan = planProfile({
    model: description,
    tokens: length,
    sequences: all.length,
    memoryLimit,
    software: adapter.software,
    request,
    at,
  });

  const loadStarted = performance.now();
  using model = await Model.load(gpu, description, {
    ...(signal && { signal }),
    ...(onLoad && { onProgress: onLoad }),
    maxTokens: plan.sequencesAtOnce * length,
    reserve: plan.states + plan.hooks + plan.scratch + plan.captures,
  });
  const load = performance.now() - loadStarted;
  const ids = byName(all.map((it) => [it.name, it.ids]));
  const { sequences, singularValues, hookValues, timings } = await profileSequences(gpu, model, ids, options);
  const report = buildReport({
    model: { ...config, id, revision, parameters, dtype },
    adapter,
    text,
    threshold,
    seed,
    request,
    sampling,
    sequences: byName(all.map((origin) => [origin.name, { ...sequences[origin.name]!, origin }])),
    timings: { load, ...timings, total: performance.now() - started },
  });
  return { report, spectra: singularValues, hookValues };
}

/** The entries include the two that are always there. */
function byName<Value>(entries: readonly (readonly [name: string, value: Value])[]): SequencesBy<Value> {
  return Object.fromEntries(entries) as unknown as SequencesBy<Value>;
}
