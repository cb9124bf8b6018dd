import type { ModelDescription } from '../engine/description.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { Model } from '../engine/model.ts';
import { checkSequences } from '../engine/sequences.ts';
import type { ProfileSpectra } from './figures.ts';
import { measuredHooks } from './measured-hooks.ts';
import { planProfile } from './plan.ts';
import { profileSequences } from './profile.ts';
import type { HookValues, ProfileOptions } from './profile.ts';
import { buildReport, sequenceNames } from './report.ts';
import type { Report, TextReport } from './report.ts';
import { shuffleTokens } from './shuffle.ts';
import type { GivenTokens } from './token-ids.ts';

/** What is profiled, in the words of the report. */
export interface ProfileSubject {
  /** A folder's name, or the id on the hub. */
  readonly id: string;
  /** The commit on the hub; null for others. */
  readonly revision: string | null;
  readonly tokens: GivenTokens;
  /** null where token ids were given. */
  readonly text: TextReport | null;
  /** Of the permutation that shuffles, unless the shuffled ids are given. */
  readonly seed: number;
  /** When the whole began, as performance.now() has it; the report's total counts from there. */
  readonly started: number;
}

export interface ProfileReportOptions extends ProfileOptions {
  /** Bytes of weights read so far, and in all. */
  readonly onLoad?: (done: number, total: number) => void;
}

/**
 * The laminar profile from a model's files to the report: loads the model within the GPU's bound on memory, runs the tokens and
 * their shuffle, and reduces each state to its spectrum. The command and the page both do just this.
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
  const { signal, onLoad, threshold, request } = options;
  const { config, parameters, dtype } = description;
  const ids = { real: tokens.real, shuffled: tokens.shuffled ?? shuffleTokens(tokens.real, seed) };
  const length = ids.real.length;
  const { software } = adapter;
  checkSequences(config, [ids.real, ids.shuffled]); // before weights are read
  const batch = { sequences: sequenceNames.length, tokens: length };
  const hooks = options.at && measuredHooks(description, options.at, batch);
  const plan = planProfile({ model: description, tokens: length, memoryLimit, software, hooks });
  const { sequences: both } = batch;
  const captures =
    description.activationBytes(both, length, hooks?.planned) - description.activationBytes(both, length);

  const loadStarted = performance.now();
  using model = await Model.load(gpu, description, {
    ...(signal && { signal }),
    ...(onLoad && { onProgress: onLoad }),
    mostTokens: sequenceNames.length * length,
    reserve: plan.states + plan.hooks + plan.scratch + captures,
  });
  const load = performance.now() - loadStarted;
  const { sequences, singularValues, hookValues, timings } = await profileSequences(gpu, model, ids, options);
  const report = buildReport({
    model: { ...config, id, revision, parameters, dtype },
    adapter,
    text,
    threshold,
    seed,
    request,
    sequences,
    timings: { load, ...timings, total: performance.now() - started },
  });
  return { report, spectra: singularValues, hookValues };
}
