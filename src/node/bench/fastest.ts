/** What a run took: by the clock, and in CPU time of this process, software GPU and all. */
export interface Took {
  readonly seconds: number;
  readonly cpu_seconds: number;
}

/** Runs are repeated so long, or so often where that takes longer, within a bound. */
const MIN_SECONDS = 0.3;
const MIN_REPETITIONS = 3;
const MAX_SECONDS = 3;

/** The least time of several runs, after one that compiles and warms up. */
export async function fastest(run: () => Promise<unknown>): Promise<Took> {
  await run();
  const [seconds, cpu]: [number[], number[]] = [[], []];
  let measured = 0;
  while (measured < MAX_SECONDS && (measured < MIN_SECONDS || seconds.length < MIN_REPETITIONS)) {
    const before = process.cpuUsage();
    const started = performance.now();
    await run();
    seconds.push((performance.now() - started) / 1000);
    const { user, system } = process.cpuUsage(before);
    cpu.push((user + system) / 1e6);
    measured += seconds.at(-1)!;
  }
  return { seconds: Math.min(...seconds), cpu_seconds: Math.min(...cpu) };
}
