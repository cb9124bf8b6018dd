/**
 * Waits for work, or for a signal. The work itself goes on: a read, or a command of a GPU, cannot be stopped.
 * @param onLate receives what the work gives after the signal, so that it can be freed
 * @throws the signal's reason, as soon as it aborts
 */
export async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  onLate?: (result: T) => unknown,
): Promise<T> {
  if (!signal) return work;
  let forget: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    const stop = () => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) stop();
    else forget = onAbort(signal, stop);
  });
  try {
    return await Promise.race([aborted, work]);
  } catch (error) {
    if (signal.aborted) work.then(onLate).catch(() => undefined); // nobody waits for it any more
    throw error;
  } finally {
    forget?.();
  }
}

/** The waits for each signal. One listener serves them all: to Node, many listeners of one signal look like a leak. */
const waits = new WeakMap<AbortSignal, { readonly stops: Set<() => void>; readonly hear: () => void }>();

/** Calls `stop` when the signal aborts. @returns ends that */
function onAbort(signal: AbortSignal, stop: () => void): () => void {
  let wait = waits.get(signal);
  if (!wait) {
    const stops = new Set<() => void>();
    const hear = () => {
      for (const each of [...stops]) each();
    };
    wait = { stops, hear };
    waits.set(signal, wait);
    signal.addEventListener('abort', hear, { once: true });
  }
  const { stops, hear } = wait;
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size > 0 || waits.get(signal)?.stops !== stops) return;
    waits.delete(signal);
    signal.removeEventListener('abort', hear);
  };
}

/** Milliseconds after which others have a turn. */
const SLICE = 40;

/**
 * Does work that keeps the host busy in slices of time, so that a signal is heard and others have a turn.
 * @param steps pauses wherever it may be interrupted: some milliseconds apart at most
 * @param onPause receives the latest of what the steps yield, between two slices
 * @throws what the steps throw, and the signal's reason
 */
export async function inSlices<Step, Result>(
  steps: Generator<Step, Result>,
  signal?: AbortSignal,
  onPause?: (step: Step) => void,
): Promise<Result> {
  signal?.throwIfAborted();
  let last = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - last < SLICE) continue;
    onPause?.(step.value);
    await new Promise((resolve) => setTimeout(resolve, 0));
    signal?.throwIfAborted();
    last = performance.now();
  }
}

/** Does the same work in one piece. */
export function atOnce<Result>(steps: Generator<unknown, Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
