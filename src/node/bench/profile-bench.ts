import { planProfile } from '../../analysis/plan.ts';
import { profileReport } from '../../analysis/profile-report.ts';
import { profileDefaults, sequenceNames } from '../../analysis/report.ts';
import type { Report } from '../../analysis/report.ts';
import { shuffleTokens } from '../../analysis/shuffle.ts';
import type { ModelDescription } from '../../engine/description.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { useDevice } from '../../engine/gpu/open.ts';
import { foldedTileColumns } from '../../engine/product-variants.ts';
import type { KernelTime } from '../../engine/gpu/timer.ts';
import { joinWork } from '../../engine/work.ts';
import type { CommandContext } from '../commands/context.ts';
import { CpuClock, minOf } from './fastest.ts';
import type { Took } from './fastest.ts';
import { measureCeilings } from './measure-ceilings.ts';
import { spreadIds } from './random-model.ts';
import { fastestOf, kernelRates, rateOf, totalWork } from './rates.ts';
import { benchHead } from './result.ts';
import type { Answers, ProfileBench } from './result.ts';

/** How long, and at most how often, profiles are repeated; the fastest counts. */
const MIN_SECONDS = 1;
const MIN_REPETITIONS = 3;
const MAX_SECONDS = 10;
const MIN_SLOW_REPETITIONS = 2;

type Stage = 'forward' | 'spectrum' | 'whole';
type Ids = Readonly<Record<'real' | 'shuffled', Int32Array<ArrayBuffer>>>;

/** Measures a profile of a model, and the adapter's peak rates in the same run. */
export async function benchProfile(
  description: ModelDescription,
  id: string,
  tokens: number,
  context: CommandContext,
): Promise<ProfileBench> {
  using gpu = await context.openGpu(description.sizes.all);
  const { memoryLimit, adapter } = gpu;
  const { config, parameters, dtype } = description;
  const foldedColumns = gpu.tuning.head === 'folded' ? foldedTileColumns(gpu.tuning) : 0;
  const { software } = adapter;
  const plan = planProfile({ model: description, tokens, memoryLimit, software, foldedColumns });
  const real = spreadIds(tokens, config.vocabulary);
  const ids = { real, shuffled: shuffleTokens(real, profileDefaults.seed) };
  const ceilings = await measureCeilings(gpu, description, sequenceNames.length * tokens, context);
  const { report, repetitions, took, kernels } = await repeatProfile(gpu, description, ids, context);
  const forward = rateOf(took.forward.seconds, totalWork(plan.work.forward), ceilings);
  const spectrum = rateOf(took.spectrum.seconds, totalWork(plan.work.spectrum), ceilings);
  return {
    ...benchHead('profile', adapter),
    model: {
      id,
      architecture: config.architecture,
      layers: config.layers,
      width: config.width,
      parameters,
      dtype,
      resident: plan.weights.isResident,
    },
    tokens,
    ids: { real: [...ids.real], shuffled: [...ids.shuffled] },
    ceilings,
    repetitions,
    whole: took.whole,
    forward: {
      ...forward,
      cpu_seconds: took.forward.cpu_seconds,
      tokens_per_second: (sequenceNames.length * tokens) / forward.seconds,
    },
    spectrum: {
      ...spectrum,
      cpu_seconds: took.spectrum.cpu_seconds,
      matrices: sequenceNames.length * (config.layers + 1),
    },
    kernels: kernels && kernelRates(kernels, joinWork(plan.work.forward, plan.work.spectrum), ceilings),
    answers: answersOf(report),
  };
}

/** The fastest of several profiles, and each kernel's fastest time in as many that are timed on the GPU. */
async function repeatProfile(
  gpu: Gpu,
  description: ModelDescription,
  ids: Ids,
  { terminal, signal }: CommandContext,
): Promise<{
  report: Report;
  repetitions: number;
  took: Record<Stage, Took>;
  kernels: KernelTime[] | null;
}> {
  const { seed, threshold } = profileDefaults;
  const subject = { id: 'bench', revision: null, tokens: ids, text: null, seed };
  const profile = async (on: Gpu, why: string, clock = new CpuClock()): Promise<Report> => {
    signal.throwIfAborted();
    terminal.notice(`profiling ${why}`);
    const started = performance.now();
    clock.start();
    const asked = {
      threshold,
      signal,
      onLoad: clock.counting('load', () => undefined),
      onForward: clock.counting('forward', terminal.stage('forward')),
      onSpectrum: clock.counting('spectrum', terminal.stage('spectrum')),
    };
    const { report } = await profileReport(on, description, { ...subject, started }, asked);
    clock.count('report');
    terminal.endStages();
    return report;
  };

  /** Whether runs that took this many seconds are enough. */
  const isEnough = (runs: readonly number[]): boolean => {
    const measured = runs.reduce((sum, seconds) => sum + seconds, 0);
    return (
      (measured >= MAX_SECONDS && runs.length >= MIN_SLOW_REPETITIONS) ||
      (measured >= MIN_SECONDS && runs.length >= MIN_REPETITIONS)
    );
  };

  const report = await profile(gpu, 'once, which compiles the kernels');
  const runs: Record<Stage, Took[]> = { forward: [], spectrum: [], whole: [] };
  while (!isEnough(runs.whole.map(({ seconds }) => seconds))) {
    const cpu = new CpuClock();
    const { timings_ms: timings } = await profile(gpu, `to measure, time ${runs.whole.length + 1}`, cpu);
    const { forward, spectrum } = cpu.seconds;
    runs.forward.push({ seconds: timings.forward / 1000, cpu_seconds: forward });
    runs.spectrum.push({ seconds: timings.spectrum / 1000, cpu_seconds: spectrum });
    runs.whole.push({ seconds: timings.total / 1000, cpu_seconds: cpu.total });
  }
  const times: KernelTime[][] = [];
  const timedSeconds: number[] = [];
  while (!isEnough(timedSeconds)) {
    // A device's kernels are compiled once for all its users.
    const { memoryLimit, tuning, verdicts } = gpu;
    using timed = useDevice(gpu.device, { memoryLimit, tuning, verdicts, timed: true, signal });
    if (!timed.timer) break;
    const { timings_ms: timings } = await profile(timed, `to time each kernel, time ${times.length + 1}`);
    timedSeconds.push(timings.total / 1000);
    times.push(await timed.timer.totals());
  }
  const took = { forward: minOf(runs.forward), spectrum: minOf(runs.spectrum), whole: minOf(runs.whole) };
  return {
    report,
    repetitions: runs.whole.length,
    took,
    kernels: times.length > 0 ? fastestOf(times) : null,
  };
}

function answersOf({ sequences: { real, shuffled } }: Report): Answers {
  return {
    mean_max_log_softmax:
      real.max_log_softmax && shuffled.max_log_softmax
        ? { real: real.max_log_softmax.mean, shuffled: shuffled.max_log_softmax.mean }
        : null,
    effective_dimension: {
      real: real.layers.map((layer) => layer.effective_dimension),
      shuffled: shuffled.layers.map((layer) => layer.effective_dimension),
    },
    rank: {
      real: real.layers.map(({ rank }) => rank),
      shuffled: shuffled.layers.map(({ rank }) => rank),
    },
  };
}
