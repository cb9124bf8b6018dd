import { listNames } from '../engine/message.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import type { Model } from '../engine/model.ts';
import type { LayerMeasurements, ViewLayer } from './measures/layer-fields.ts';
import type { MeasuredState } from './measures/layer-measures.ts';
import type { ViewRequest } from './measures/measure-views.ts';
import { fewRowsNotice } from './measures/neighbours.ts';
import type { FewRows } from './measures/neighbours.ts';
import { roundingNotice } from './measures/rounding.ts';
import { HookSpectra } from './hook-spectra.ts';
import type { HookMeasurements } from './hook-spectra.ts';
import { planProfile } from './plan.ts';
import type { ProfilePlan } from './plan.ts';
import type { Sampling } from './profile-sequences.ts';
import type { SequenceMeasurements } from './build-report.ts';
import type { SequencesBy } from './report.ts';
import { StateComparer } from './state-comparer.ts';
import { StateReducer } from './state-reducer.ts';
import { spectrumName, viewNames } from './views.ts';
import type { ViewName } from './views.ts';
import { spectrumKernels } from './spectrum/prepare.ts';

/** What a profile is asked to measure: the flags of the command, and what the form of the page asks. */
export interface ProfileRequest {
  /** Percent of the variance that the effective dimension must exceed. */
  readonly threshold: number;
  /** Views and measures of every state; default the usual diagnostics alone. */
  readonly request?: ViewRequest | undefined;
  /** Names of activations to measure as the states are; `*` stands for any run of characters. */
  readonly at?: readonly string[] | undefined;
  /** How many sequences are measured besides the text; default one permutation of it. */
  readonly sampling?: Sampling | undefined;
}

/** Called during the work: steps done, steps in all, and if there are more than two sequences, which ones are running. */
export type SequenceProgress = (done: number, total: number, which?: string) => void;

export interface ProfileOptions extends Omit<ProfileRequest, 'sampling'> {
  readonly signal?: AbortSignal | undefined;
  /** Called during the forward pass. */
  readonly onForward?: SequenceProgress;
  /** Called as spectra are done, in matrices: for each sequence one of each of the L + 1 states. */
  readonly onSpectrum?: SequenceProgress;
  /** Told what a user should know of the result. */
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** Told of each state as soon as it is measured. */
  readonly onLayer?: ((sequence: string, layer: number, measured: LayerMeasurements) => void) | undefined;
  /** Told of a sequence's maximum log-softmax, [T], as soon as the forward pass is done. */
  readonly onMaxLogSoftmax?: ((sequence: string, values: Float32Array) => void) | undefined;
  /** The maximum number of states before they are measured: with fewer, the first numbers come sooner and the last ones later. */
  readonly maxStates?: number | undefined;
}

/** Singular values of named activations. */
export type HookValues = SequencesBy<Readonly<Record<string, readonly Float32Array[]>>>;

/** The laminar profile of a text's tokens and others. */
export interface Profile {
  readonly sequences: SequencesBy<SequenceMeasurements>;
  /** One for each state 0 to L, [min(T, d)] each; those of views by `spectrumName`. */
  readonly singularValues: SequencesBy<readonly Float32Array[]>;
  /** Of named activations, by their names with * for the layer's number: a row for each layer, [min(T, columns)] each. */
  readonly hookValues: HookValues | undefined;
  /** In milliseconds, both waited for on the GPU. */
  readonly timings: { readonly forward: number; readonly spectrum: number };
}

/** What the sequences that were run together gave. */
interface Measured {
  readonly sequences: Record<string, SequenceMeasurements>;
  readonly singularValues: Record<string, readonly Float32Array[]>;
  readonly hookValues: Record<string, Readonly<Record<string, readonly Float32Array[]>>>;
  readonly spectrumMilliseconds: number;
}

/**
 * Runs sequences in batches and reduces each state to its spectrum during the run. The number of states that are held is
 * bounded: it does not depend on the model's depth or the number of sequences. The numbers of a sequence do not depend on the
 * other sequences.
 * @param ids real, shuffled and any others by their names, of equal lengths [T]
 * @throws InputError if the ids do not suit the model
 * @throws NumericalError naming the state, if one is not finite or its SVD does not converge
 * @throws DeviceError if the GPU fails
 */
export async function profileSequences(
  gpu: Gpu,
  model: Model,
  ids: SequencesBy<Int32Array>,
  options: ProfileOptions,
): Promise<Profile> {
  const { request, at, signal, onNotice } = options;
  const { real, shuffled, ...others } = ids;
  const all = Object.entries({ real, shuffled, ...others });
  const { memoryLimit, adapter } = gpu;
  const { description, isResident } = model;
  const plan = planProfile({
    model: description,
    tokens: real.length,
    sequences: all.length,
    memoryLimit,
    software: adapter.software,
    isResident,
    request,
    at,
  });
  if (plan.skippedHooks.length > 0) {
    onNotice?.(
      `${listNames(plan.skippedHooks)}: not measured, because they are not matrices of tokens by features`,
    );
  }
  // Spectra wait for them; meanwhile the first states are computed.
  gpu.kernels.prepare(spectrumKernels(gpu.tuning)).catch(() => undefined);
  const started = performance.now();
  const profile: Omit<Measured, 'spectrumMilliseconds'> = {
    sequences: {},
    singularValues: {},
    hookValues: {},
  };
  const few: FewRows[] = [];
  const rounded: string[] = [];
  let spectrum = 0;
  let first = 0;
  for (const size of plan.groups) {
    signal?.throwIfAborted();
    const group = all.slice(first, first + size);
    const along = first > 0 && plan.textRunsAlong ? real : undefined;
    const measured = await profileGroup(gpu, model, group, plan, {
      ...options,
      first,
      of: all.length,
      along,
      few,
      rounded,
    });
    for (const part of ['sequences', 'singularValues', 'hookValues'] as const)
      Object.assign(profile[part], measured[part]);
    spectrum += measured.spectrumMilliseconds;
    first += size;
  }
  for (const notice of [fewRowsNotice(few), roundingNotice(rounded)])
    if (notice !== undefined) onNotice?.(notice);
  return {
    sequences: profile.sequences as unknown as SequencesBy<SequenceMeasurements>,
    singularValues: profile.singularValues as unknown as Profile['singularValues'],
    hookValues: at ? (profile.hookValues as unknown as HookValues) : undefined,
    timings: { forward: performance.now() - started - spectrum, spectrum },
  };
}

/** Runs some of the sequences as one batch; if they are compared with the text, it runs in every batch. */
async function profileGroup(
  gpu: Gpu,
  model: Model,
  group: readonly (readonly [name: string, ids: Int32Array])[],
  plan: ProfilePlan,
  options: ProfileOptions & {
    readonly first: number;
    readonly of: number;
    readonly along: Int32Array | undefined;
    readonly few: FewRows[];
    readonly rounded: string[];
  },
): Promise<Measured> {
  const { threshold, request, signal, onForward, onSpectrum, onNotice, first, of, along } = options;
  const { comparisons = [] } = request ?? {};
  const names = group.map(([name]) => name);
  const tokens = group[0]![1].length;
  const { layers, width } = model.config;
  const which = of <= 2 ? undefined : placesOf(first, group.length, of);
  const before = along ? 1 : 0;
  const batch = [...(along ? [along] : []), ...group.map(([, ids]) => ids)];
  const comparer =
    comparisons.length > 0
      ? new StateComparer(gpu, [...(along ? ['real'] : []), ...names], comparisons, signal)
      : undefined;
  const reducer = new StateReducer(gpu, names, tokens, width, {
    firstSequence: before,
    threshold,
    request,
    signal,
    maxStates: Math.min(plan.statesAtOnce, options.maxStates ?? Infinity),
    scratchBytes: plan.scratch,
    onLayer: options.onLayer,
    onProgress: (done) => onSpectrum?.(first * (layers + 1) + done, of * (layers + 1), which),
    onFewRows: (rows) => void options.few.push(rows),
    onRounding: (name) => void options.rounded.push(name),
  });
  using hookSpectra =
    plan.measuredHooks &&
    new HookSpectra(gpu, names, tokens, {
      threshold,
      maxAtOnce: plan.hooksAtOnce,
      scratchBytes: plan.scratch,
      signal,
    });
  try {
    const result = await model.run(batch, {
      ...(signal ? { signal } : {}),
      onProgress: (done, total) =>
        which === undefined
          ? onForward?.(done, total)
          : onForward?.(first * total + group.length * done, of * total, which),
      onNotice,
      loss: model.description.hasHead,
      onState: async (state) => {
        await comparer?.add(state);
        await reducer.add(state);
      },
      ...(hookSpectra && {
        capture: plan.measuredHooks!.map(({ name }) => ({
          at: name,
          sequences: names.map((_, index) => before + index),
        })),
        onActivation: (activation) => hookSpectra.add(activation),
      }),
    });
    const maxLogSoftmax = result.maxLogSoftmax?.slice(before);
    for (const [index, values] of (maxLogSoftmax ?? []).entries())
      options.onMaxLogSoftmax?.(names[index]!, values);
    await hookSpectra?.finish();
    await reducer.finish();
    const measured = group.map(([name, ids], index): SequenceMeasurements => ({
      ids,
      maxLogSoftmax: maxLogSoftmax?.[index] ?? null,
      loss: result.loss?.[before + index] ?? null,
      layers: reducer.states[index]!.map(({ layer }, place) => ({
        ...layer,
        ...comparer?.layers[before + index]![place],
      })),
      ...(request && { views: viewsOf(reducer.states[index]!, request) }),
      ...(hookSpectra && { hooks: hookSpectra.measurements[name] as HookMeasurements }),
    }));
    return {
      sequences: Object.fromEntries(names.map((name, index) => [name, measured[index]!])),
      singularValues: Object.fromEntries(
        names.flatMap((name, index) => [
          [name, reducer.singularValues[index]!] as const,
          ...Object.entries(reducer.viewValues[index]!).map(
            ([view, rows]) => [spectrumName(name, view as ViewName), rows] as const,
          ),
        ]),
      ),
      hookValues: hookSpectra?.singularValues ?? {},
      spectrumMilliseconds:
        reducer.milliseconds + (hookSpectra?.milliseconds ?? 0) + (comparer?.milliseconds ?? 0),
    };
  } finally {
    reducer.dispose();
  }
}

function placesOf(first: number, count: number, of: number): string {
  return count === 1
    ? `sequence ${first + 1} of ${of}`
    : `sequences ${first + 1} to ${first + count} of ${of}`;
}

/** The layers of every view but `all`, which are the sequence's own. */
function viewsOf(
  states: readonly MeasuredState[],
  { views }: ViewRequest,
): Partial<Record<ViewName, ViewLayer[]>> {
  const others = viewNames.filter((name) => name !== 'all' && views.includes(name));
  return Object.fromEntries(others.map((name) => [name, states.map((state) => state.views[name]!)]));
}
