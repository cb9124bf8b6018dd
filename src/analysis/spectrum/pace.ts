import type { Gpu } from '../../engine/gpu/gpu.ts';
import type { Recorder } from '../../engine/gpu/recorder.ts';

/** Floating-point operations a submission may hold: well under a second on either kind of adapter. */
export function workBudget(gpu: Gpu): number {
  return gpu.adapter.software ? 2e8 : 2e11;
}

/** Dispatches a submission may hold, empty ones too. */
const DISPATCH_BUDGET = 512;

/**
 * Cuts a long run of dispatches into submissions of bounded work and keeps at most two of them in flight, so that an
 * abort is heard within a second and no command buffer runs for long.
 */
export class Pace {
  #recorder: Recorder | undefined;
  #work = 0;
  #dispatches = 0;
  #inFlight: Promise<void> = Promise.resolve();
  readonly #budget: number;

  constructor(
    private readonly gpu: Gpu,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#budget = workBudget(gpu);
  }

  /** Records dispatches that cost about `work` operations. @throws the signal's reason when it is aborted. */
  async add(work: number, record: (recorder: Recorder) => void): Promise<void> {
    this.signal?.throwIfAborted();
    this.#recorder ??= this.gpu.recorder();
    record(this.#recorder);
    this.#work += work;
    this.#dispatches += 1;
    if (this.#work >= this.#budget || this.#dispatches >= DISPATCH_BUDGET) await this.#submit();
  }

  /** Submits what is recorded and waits until the GPU has done it. */
  async finish(): Promise<void> {
    await this.#submit();
    await this.#inFlight;
    this.signal?.throwIfAborted();
  }

  async #submit(): Promise<void> {
    this.#recorder?.submit();
    this.#recorder = undefined;
    this.#work = 0;
    this.#dispatches = 0;
    const before = this.#inFlight;
    this.#inFlight = this.gpu.finish();
    // Whoever awaits it next hears of a failure; until then it must not count as unhandled.
    this.#inFlight.catch(() => undefined);
    await before;
  }
}
