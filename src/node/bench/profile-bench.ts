import { planProfile } from '../../analysis/plan.ts';
import { profileReport } from '../../analysis/profile-report.ts';
import { profileDefaults, sequenceNames } from '../../analysis/report.ts';
import type { Report } from '../../analysis/report.ts';
import { shuffleTokens } from '../../analysis/shuffle.ts';
import type { ModelDescription } from '../../engine/description.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { useDevice } from '../../engine/gpu/open.ts';
import type { KernelTime } from '../../engine/gpu/timer.ts';
import { joinWork } from '../../engine/work.ts';
import type { CommandContext } from '../commands/context.ts';
import { measureCeilings } from './measure-ceilings.ts';
import { spreadIds } from './random-model.ts';
import { fastestOf, kernelRates, rateOf, totalWork } from './rates.ts';
import { benchHead } from './result.ts';
import type { Answers, ProfileBench } from './result.ts';

/** Profiles are repeated so long, or so often where that takes longer, within a bound; the fastest counts. */
const MIN_SECONDS = 1;
const MIN_REPETITIONS = 3;
const MAX_SECONDS = 10;

type Ids = Readonly<Record<'real' | 'shuffled', Int32Array<ArrayBuffer>>>;

/** Measures a profile of a model, and beside it what the adapter can do at best. */
export async function benchProfile(
  description: ModelDescription,
  id: string,
  tokens: number,
  context: CommandContext,
): Promise<ProfileBench> {
  using gpu = await context.openGpu(description.sizes.all);
  const { memoryLimit, adapter } = gpu;
  const { config, parameters, dtype } = description;
  const plan = planProfile({ model: description, tokens, memoryLimit, software: adapter.software });
  const real = spreadIds(tokens, config.vocabulary);
  const ids = { real, shuffled: shuffleTokens(real, profileDefaults.seed) };
  const ceilings = await measureCeilings(gpu, description, sequenceNames.length * tokens, context);
  const { report, repetitions, seconds, kernels } = await repeatProfile(gpu, description, ids, context);
  const forward = rateOf(seconds.forward, totalWork(plan.work.forward), ceilings);
  const spectrum = rateOf(seconds.spectrum, totalWork(plan.work.spectrum), ceilings);
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
    whole: { seconds: seconds.whole, cpu_seconds: seconds.cpu },
    forward: { ...forward, tokens_per_second: (sequenceNames.length * tokens) / seconds.forward },
    spectrum: { ...spectrum, matrices: sequenceNames.length * (config.layers + 1) },
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
  seconds: { forward: number; spectrum: number; whole: number; cpu: number };
  kernels: KernelTime[] | null;
}> {
  const { seed, threshold } = profileDefaults;
  const subject = { id: 'bench', revision: null, tokens: ids, text: null, seed };
  const profile = async (on: Gpu, why: string): Promise<Report> => {
    signal.throwIfAborted();
    terminal.notice(`profiling ${why}`);
    const started = performance.now();
    const stages = { onForward: terminal.stage('forward'), onSpectrum: terminal.stage('spectrum') };
    const asked = { threshold, signal, ...stages };
    const { report } = await profileReport(on, description, { ...subject, started }, asked);
    terminal.endStages();
    return report;
  };

  /** Whether runs of so many seconds are enough. */
  const isEnough = (runs: readonly number[]): boolean => {
    const measured = runs.reduce((sum, seconds) => sum + seconds, 0);
    return measured >= MAX_SECONDS || (measured >= MIN_SECONDS && runs.length >= MIN_REPETITIONS);
  };

  const report = await profile(gpu, 'once, which compiles the kernels');
  const [forward, spectrum, whole, cpu]: [number[], number[], number[], number[]] = [[], [], [], []];
  while (!isEnough(whole)) {
    const before = process.cpuUsage();
    const { timings_ms: timings } = await profile(gpu, `to measure, time ${whole.length + 1}`);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1e6);
    forward.push(timings.forward / 1000);
    spectrum.push(timings.spectrum / 1000);
    whole.push(timings.total / 1000);
  }
  const times: KernelTime[][] = [];
  const timedSeconds: number[] = [];
  while (!isEnough(timedSeconds)) {
    // A device's kernels are compiled once, whoever uses it.
    using timed = useDevice(gpu.device, { memoryLimit: gpu.memoryLimit, timed: true, signal });
    if (!timed.timer) break;
    const { timings_ms: timings } = await profile(timed, `to time each kernel, time ${times.length + 1}`);
    timedSeconds.push(timings.total / 1000);
    times.push(await timed.timer.totals());
  }
  const seconds = {
    forward: Math.min(...forward),
    spectrum: Math.min(...spectrum),
    whole: Math.min(...whole),
    cpu: Math.min(...cpu),
  };
  return { report, repetitions: whole.length, seconds, kernels: times.length > 0 ? fastestOf(times) : null };
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
