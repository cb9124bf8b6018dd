/** What a run took: by the clock, and in CPU time of this process, including a software GPU. */
export interface Took {
  readonly seconds: number;
  readonly cpu_seconds: number;
}

/** For how long and how often runs are repeated, within a bound. */
const MIN_SECONDS = 0.3;
const MIN_REPETITIONS = 3;
const MAX_SECONDS = 3;

/** The shortest time of several runs, after one that compiles and warms up. */
export async function fastest(run: () => Promise<unknown>): Promise<Took> {
  await run();
  const runs: Took[] = [];
  let measured = 0;
  while (measured < MAX_SECONDS && (measured < MIN_SECONDS || runs.length < MIN_REPETITIONS)) {
    const before = process.cpuUsage();
    const started = performance.now();
    await run();
    const seconds = (performance.now() - started) / 1000;
    runs.push({ seconds, cpu_seconds: inSeconds(process.cpuUsage(before)) });
    measured += seconds;
  }
  return minOf(runs);
}

/** The shortest clock time and the shortest CPU time of several runs. */
export function minOf(runs: readonly Took[]): Took {
  return {
    seconds: Math.min(...runs.map(({ seconds }) => seconds)),
    cpu_seconds: Math.min(...runs.map(({ cpu_seconds }) => cpu_seconds)),
  };
}

/** CPU time of this process by stage: what was used since the last report counts for the stage that reports next. */
export class CpuClock {
  readonly seconds = { load: 0, forward: 0, spectrum: 0, report: 0 };
  #last = process.cpuUsage();

  start(): void {
    this.#last = process.cpuUsage();
  }

  /** The CPU time of all stages. */
  get total(): number {
    return Object.values(this.seconds).reduce((sum, seconds) => sum + seconds, 0);
  }

  count(stage: keyof CpuClock['seconds']): void {
    this.seconds[stage] += inSeconds(process.cpuUsage(this.#last));
    this.#last = process.cpuUsage();
  }

  /** A listener to progress that counts, too. */
  counting(
    stage: keyof CpuClock['seconds'],
    onProgress: (done: number, total: number) => void,
  ): (done: number, total: number) => void {
    return (done, total) => {
      this.count(stage);
      onProgress(done, total);
    };
  }
}

function inSeconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1e6;
}
