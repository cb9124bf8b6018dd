import type { Gpu } from '../gpu/gpu.ts';
import type { Recorder } from '../gpu/recorder.ts';

/** How long one submission should take: the work is repeated in it, so that starting and waiting do not count. */
const MIN_SECONDS = 0.1;
const MAX_REPEATS = 4096;
/** Submissions of that length. The shortest counts, because other programs may slow any of them down. */
const MEASUREMENTS = 3;

/**
 * How long one run takes on the GPU, in seconds: the shortest of several measurements. Each measures many runs in one
 * submission.
 */
export async function secondsEach(gpu: Gpu, record: (recorder: Recorder) => void): Promise<number> {
  const run = async (repeats: number): Promise<number> => {
    const started = performance.now();
    const recorder = gpu.recorder();
    for (let i = 0; i < repeats; i++) record(recorder);
    recorder.submit();
    await gpu.finish();
    return (performance.now() - started) / 1000;
  };
  await run(1); // compiles
  let repeats = 1;
  let seconds = await run(repeats);
  while (seconds < MIN_SECONDS && repeats < MAX_REPEATS) {
    repeats *= 2;
    seconds = await run(repeats);
  }
  for (let i = 1; i < MEASUREMENTS; i++) seconds = Math.min(seconds, await run(repeats));
  return seconds / repeats;
}
