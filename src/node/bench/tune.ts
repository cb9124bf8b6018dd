import { computeSpectra } from '../../analysis/spectrum.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { useDevice } from '../../engine/gpu/open.ts';
import type { KernelTime } from '../../engine/gpu/timer.ts';
import { describeTuning } from '../../engine/gpu/tuning.ts';
import type { TuningOverrides } from '../../engine/gpu/tuning.ts';
import { decisionsOf } from '../../engine/gpu/variants.ts';
import type { Decision } from '../../engine/gpu/variants.ts';
import { Model } from '../../engine/model.ts';
import type { CommandContext } from '../commands/context.ts';
import { formatTable } from '../table.ts';
import { describeHead, formatSeconds } from './describe.ts';
import { withRandomMatrices } from './random-matrices.ts';
import { spreadIds, withRandomModel } from './random-model.ts';
import { benchHead } from './result.ts';
import type { BenchHead } from './result.ts';
import { smallModel } from './small-model.ts';

/** What `bench --tune --json` prints. */
export interface TuneBench extends BenchHead {
  readonly bench: 'tune';
  /** The decisions in words. */
  readonly tuning: readonly string[];
  /** What the variants were timed on, in the order of `seconds`. */
  readonly shapes: { readonly forward: readonly string[]; readonly spectra: readonly string[] };
  readonly decisions: readonly {
    readonly name: string;
    readonly kernels: readonly string[];
    readonly job: Decision['job'];
    readonly options: readonly {
      readonly name: string;
      readonly chosen: boolean;
      /** On each shape, the fastest of several runs, by the GPU's clock; null if the device has no timestamps. */
      readonly seconds: readonly (number | null)[];
    }[];
  }[];
  /** By decision, the option that was faster than the chosen one on every shape, by a tenth at least. */
  readonly faster: Readonly<Record<string, string>>;
}

/** Two shapes of each job: a forward pass of two sequences, and spectra of two matrices. */
const SHAPES = {
  software: {
    model: { layers: 1, width: 192, heads: 3, vocabulary: 2048, context: 96 },
    tokens: [24, 96],
    matrices: [
      [64, 128],
      [128, 128],
    ],
  },
  hardware: {
    model: { layers: 2, width: 1024, heads: 16, vocabulary: 16_384, context: 1024 },
    tokens: [128, 1024],
    matrices: [
      [256, 768],
      [1024, 768],
    ],
  },
} as const;
const ROUNDS = 3;
/** A smaller difference may be chance. */
const CLEARLY_FASTER = 0.9;

type Job = (gpu: Gpu) => Promise<void>;

/** What the variants are timed on. */
export interface TuneShapes {
  readonly model: Parameters<typeof smallModel>[0];
  /** The length of each sequence; two sequences run. */
  readonly tokens: readonly number[];
  readonly matrices: readonly (readonly [rows: number, columns: number])[];
  /** Runs of each option, in turn with the others, so that a slow moment affects all of them. Default 3. */
  readonly rounds?: number;
}

/**
 * Times every variant of every kernel that has some, and says what the tuning chose.
 * @param chosen default: what suits the adapter
 */
export async function benchTune(context: CommandContext, chosen?: TuneShapes): Promise<TuneBench> {
  using gpu = await context.openGpu();
  const {
    model,
    tokens,
    matrices,
    rounds = ROUNDS,
  }: TuneShapes = chosen ?? SHAPES[gpu.adapter.software ? 'software' : 'hardware'];
  const decisions = decisionsOf(gpu.tuning);
  const { terminal, signal } = context;
  const times = new Map<string, (number | null)[]>();
  const onRun = terminal.stage('variants');
  const total = tokens.length + matrices.length;
  let done = 0;
  const time = async (kind: Decision['job'], what: string, job: Job): Promise<void> => {
    terminal.notice(`timing the variants on ${what}`);
    onRun(done, total);
    const ofKind = decisions.filter((decision) => decision.job === kind);
    const measured = await timeOptions(gpu, ofKind, job, rounds, signal);
    for (const [key, seconds] of measured) times.set(key, [...(times.get(key) ?? []), seconds]);
    onRun((done += 1), total);
  };
  await withRandomModel({ ...smallModel(model), signal }, async (description) => {
    for (const length of tokens) {
      const sequences = [0, length].map((first) => spreadIds(length, model.vocabulary, first));
      await time('forward', forwardShape(model.width, length), async (on) => {
        using loaded = await Model.load(on, description, { signal });
        await loaded.run(sequences, { signal });
      });
    }
  });
  for (const [rows, columns] of matrices) {
    await withRandomMatrices(gpu, { matrices: 2, rows, columns }, (views) =>
      time('spectra', spectraShape(rows, columns), async (on) => {
        await computeSpectra(on, views, { signal });
      }),
    );
  }
  const timesOf = (decision: string, option: string) => times.get(keyOf(decision, option)) ?? [];
  return {
    ...benchHead('tune', gpu.adapter),
    tuning: describeTuning(gpu.tuning),
    shapes: {
      forward: tokens.map((length) => forwardShape(model.width, length)),
      spectra: matrices.map(([rows, columns]) => spectraShape(rows, columns)),
    },
    decisions: decisions.map(({ name, kernels, job, options }) => ({
      name,
      kernels,
      job,
      options: options.map((option) => ({
        name: option.name,
        chosen: option.chosen,
        seconds: timesOf(name, option.name),
      })),
    })),
    faster: fasterOptions(decisions, timesOf),
  };
}

/** Of decisions that can be taken alone, the options that are clearly faster than the chosen ones. */
export function fasterOptions(
  decisions: readonly Decision[],
  timesOf: (decision: string, option: string) => readonly (number | null)[],
): Record<string, string> {
  const faster: Record<string, string> = {};
  for (const { name, options, standsAlone } of decisions) {
    const chosen = options.find((option) => option.chosen);
    if (!chosen || !standsAlone) continue;
    const before = timesOf(name, chosen.name);
    const winners = options.filter((option) => {
      const seconds = timesOf(name, option.name);
      return (
        seconds.length > 0 &&
        seconds.every((value, shape) => value !== null && value < CLEARLY_FASTER * (before[shape] ?? 0))
      );
    });
    const last = (option: string): number => timesOf(name, option).at(-1) ?? Infinity;
    const [best] = winners.sort((one, other) => last(one.name) - last(other.name));
    if (best) faster[name] = best.name;
  }
  return faster;
}

/**
 * Runs a job with one option of each decision at a time: kernels of different decisions do not touch each other, so that
 * one run times an option of each.
 */
async function timeOptions(
  gpu: Gpu,
  decisions: readonly Decision[],
  job: Job,
  rounds: number,
  signal: AbortSignal,
): Promise<Map<string, number | null>> {
  const fastest = new Map<string, number | null>();
  for (const { name, options } of decisions)
    for (const option of options) fastest.set(keyOf(name, option.name), null);
  if (!gpu.tuning.traits.timestamps) return fastest;
  // The first round compiles.
  for (let round = 0; round <= rounds; round++) {
    for (const { options, overrides } of combinations(decisions)) {
      const { memoryLimit } = gpu;
      const tuning = { ...gpu.tuning, ...overrides };
      using timed = useDevice(gpu.device, {
        memoryLimit,
        tuning,
        timed: true,
        signal,
        verdicts: gpu.verdicts,
      });
      await job(timed);
      const totals = await timed.timer!.totals();
      if (round === 0) continue;
      for (const [decision, option] of options) {
        const key = keyOf(decision.name, option);
        fastest.set(key, Math.min(secondsOf(totals, decision.kernels), fastest.get(key) ?? Infinity));
      }
    }
  }
  return fastest;
}

/** Enough sets of decisions to have every option in one of them. The options of a set do not contradict each other. */
function combinations(
  decisions: readonly Decision[],
): { options: (readonly [Decision, string])[]; overrides: TuningOverrides }[] {
  const sets: { options: (readonly [Decision, string])[]; overrides: Record<string, unknown> }[] = [];
  for (const decision of decisions) {
    for (const option of decision.options) {
      const set = sets.find(
        ({ options, overrides }) =>
          options.every(([other]) => other !== decision) &&
          Object.entries(option.overrides).every(([key, value]) => (overrides[key] ?? value) === value),
      );
      if (set) {
        set.options.push([decision, option.name]);
        Object.assign(set.overrides, option.overrides);
      } else sets.push({ options: [[decision, option.name]], overrides: { ...option.overrides } });
    }
  }
  return sets;
}

function secondsOf(totals: readonly KernelTime[], kernels: readonly string[]): number {
  const isMeant = (kernel: string) =>
    kernels.some((name) => kernel === name || kernel.startsWith(`${name}-`));
  return totals.reduce(
    (sum, { kernel, milliseconds }) => (isMeant(kernel) ? sum + milliseconds / 1000 : sum),
    0,
  );
}

const keyOf = (decision: string, option: string): string => `${decision}: ${option}`;
const forwardShape = (width: number, tokens: number): string => `2 x ${tokens} tokens of width ${width}`;
const spectraShape = (rows: number, columns: number): string => `2 matrices of ${rows} x ${columns}`;

/** What `bench --tune` prints without --json. */
export function describeTuneBench(result: TuneBench): string {
  const { shapes, decisions, tuning } = result;
  const table = (job: Decision['job']): string =>
    formatTable(
      ['decision', 'option', ...shapes[job], ''],
      decisions
        .filter((decision) => decision.job === job)
        .flatMap(({ name, options }) =>
          options.map(({ name: option, chosen, seconds }) => [
            name,
            option,
            ...seconds.map((value) => (value === null ? '–' : formatSeconds(value))),
            [chosen ? 'chosen' : '', isFastest(options, seconds) ? 'fastest' : ''].filter(Boolean).join(', '),
          ]),
        ),
    );
  return [
    describeHead(result),
    ...tuning.map((line) => `${line}\n`),
    `\n${table('forward')}`,
    `\n${table('spectra')}`,
    `\nThe time of the kernels alone by the GPU's clock, the fastest of ${ROUNDS} runs in turn.\n`,
  ].join('');
}

/** Whether an option is the fastest on the larger shape. */
function isFastest(
  options: readonly { readonly seconds: readonly (number | null)[] }[],
  seconds: readonly (number | null)[],
): boolean {
  const last = seconds.at(-1) ?? null;
  return last !== null && options.every((other) => (other.seconds.at(-1) ?? Infinity) >= last);
}
