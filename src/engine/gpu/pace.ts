import { unlessAborted } from '../abort.ts';
import type { Gpu } from './gpu.ts';
import type { BufferRange } from './kernel.ts';
import type { Recorder } from './recorder.ts';

/** Dispatches a submission may hold, empty ones too. */
const DISPATCHES = 512;
/** Submissions in flight at once: one computes, the next one waits for it. */
const IN_FLIGHT = 2;
/** One measurement changes the budget by at most this factor: on a busy machine, one measured time says little. */
const MAX_CHANGE = 4;
/** A submission of less than this part of the budget says little about speed: its fixed costs count too much. */
const TELLING_PART = 1 / 8;

/** How much work a submission may hold, by what earlier ones took. */
export class WorkBudget {
  #work: number;

  /**
   * @param first operations of the first submission
   * @param milliseconds that a submission should take
   */
  constructor(
    first: number,
    private readonly milliseconds: number,
  ) {
    this.#work = first;
  }

  /** Operations that the next submission may hold. */
  get work(): number {
    return this.#work;
  }

  /**
   * Learns from how long a submission of some operations took.
   * @param isBound whether there may have been less work than that: it then tells of slowness only
   */
  observe(work: number, milliseconds: number, isBound = false): void {
    const isSlow = milliseconds > this.milliseconds;
    const isTelling = isSlow || (work >= TELLING_PART * this.#work && !isBound);
    if (work <= 0 || !isTelling) return;
    const fitting = (work * this.milliseconds) / Math.max(milliseconds, 0.01);
    this.#work = Math.min(Math.max(fitting, this.#work / MAX_CHANGE), this.#work * MAX_CHANGE);
  }
}

/** Where steps record their dispatches: the recorder of the moment, and how much one dispatch should hold. */
export interface Recording {
  readonly recorder: Recorder;
  /** Operations that a single dispatch should hold at most. */
  readonly budget: number;
  /** Counts operations that were just recorded, approximately. Afterwards the recorder may be another one. */
  count(work: number): void;
}

/** Records everything into one recorder, which the caller submits. */
export function unpaced(recorder: Recorder): Recording {
  return { recorder, budget: Infinity, count: () => undefined };
}

/**
 * Cuts a long run of dispatches into submissions that each take about `gpu.tuning.submissionMilliseconds`, and keeps at
 * most two of them in flight. So an abort is heard soon, and no command buffer runs for long. The first submission is
 * small; the time of each decides the size of the next.
 */
export class Pace implements Recording {
  #budget: WorkBudget;
  readonly #inFlight: Promise<void>[] = [];
  #recorder: Recorder | undefined;
  #work = 0;
  #isBound = false;
  #dispatches = 0;
  #lastDone = 0;
  #failure: { readonly cause: unknown } | undefined;

  /**
   * @param job the kind of work, such as `forward`: each has its own operations per second, measured apart
   * @param signal ends every wait for room, or for the end
   */
  constructor(
    private readonly gpu: Gpu,
    job: string,
    private readonly signal?: AbortSignal,
  ) {
    this.#budget = gpu.budgetOf(job);
  }

  /** Submits what is recorded and goes on with another kind of work. */
  startJob(job: string): void {
    this.submit();
    this.#budget = this.gpu.budgetOf(job);
  }

  /** Operations that a submission, and so a single dispatch, should hold. */
  get budget(): number {
    return this.#budget.work;
  }

  /** Where to record next. Say what was recorded with `count`. */
  get recorder(): Recorder {
    return (this.#recorder ??= this.gpu.recorder());
  }

  /**
   * Counts a dispatch of about `work` operations that was just recorded, and submits when enough is there.
   * @param isBound whether the work may turn out to be less, as if a kernel returns at once for what has converged
   */
  count(work: number, isBound = false): void {
    this.#work += work;
    this.#isBound ||= isBound;
    this.#dispatches += 1;
    if (this.#work >= this.#budget.work || this.#dispatches >= DISPATCHES) this.submit();
  }

  /**
   * Records dispatches that cost about `work` operations, and waits where too much is in flight.
   * @throws the signal's reason when it is aborted.
   */
  async add(work: number, record: (recorder: Recorder) => void, isBound = false): Promise<void> {
    this.signal?.throwIfAborted();
    record(this.recorder);
    this.count(work, isBound);
    await this.settle();
  }

  /** Submits what is recorded and returns at once. */
  submit(): void {
    if (!this.#recorder) return;
    const [budget, work, isBound] = [this.#budget, this.#work, this.#isBound];
    const submitted = performance.now();
    this.#recorder.submit();
    this.#recorder = undefined;
    this.#work = 0;
    this.#isBound = false;
    this.#dispatches = 0;
    const done = this.gpu.finish().then(
      () => {
        const now = performance.now();
        budget.observe(work, now - Math.max(submitted, this.#lastDone), isBound);
        this.#lastDone = now;
      },
      (cause: unknown) => void (this.#failure ??= { cause }),
    );
    this.#inFlight.push(done);
    void done.then(() => this.#inFlight.splice(this.#inFlight.indexOf(done), 1));
  }

  /** Waits until there is room for another submission. @throws what made one fail, or the signal's reason. */
  async settle(): Promise<void> {
    while (this.#inFlight.length >= IN_FLIGHT) await unlessAborted(this.#inFlight[0]!, this.signal);
    this.#check();
  }

  /** Submits what is recorded and waits until the GPU has done it. @throws as `settle` does */
  async finish(): Promise<void> {
    this.submit();
    await unlessAborted(Promise.all(this.#inFlight), this.signal);
    this.#check();
  }

  /**
   * Submits what is recorded and reads ranges back once the GPU has done it: one wait in place of two.
   * @throws as `settle` does
   */
  async read<const Ranges extends readonly BufferRange[]>(
    ranges: Ranges,
  ): Promise<{ [Index in keyof Ranges]: ArrayBuffer }> {
    this.submit();
    const read = await unlessAborted(this.gpu.readAll(ranges), this.signal);
    this.#check();
    return read;
  }

  #check(): void {
    if (this.#failure) throw this.#failure.cause;
    this.signal?.throwIfAborted();
  }
}
