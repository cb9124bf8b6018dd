import { setImmediate, setTimeout } from 'node:timers';

/**
 * The calls of WebGPU that answer later. While one is open, Dawn asks the driver for news at every turn of the event
 * loop, which keeps a core busy: on a software GPU, that core should compute.
 */
const WAITING_CALLS = [
  ['GPU', 'requestAdapter'],
  ['GPUAdapter', 'requestDevice'],
  ['GPUBuffer', 'mapAsync'],
  ['GPUDevice', 'createComputePipelineAsync'],
  ['GPUDevice', 'createRenderPipelineAsync'],
  ['GPUDevice', 'popErrorScope'],
  ['GPUQueue', 'onSubmittedWorkDone'],
  ['GPUShaderModule', 'getCompilationInfo'],
] as const;
/** For this long after a call Dawn asks at every turn, so that a quick answer is heard at once. */
const EAGER_MILLISECONDS = 0.25;
/** Until then it asks at every turn, too, but the thread naps before: a question costs more than the driver's answer. */
const NAPPING_MILLISECONDS = 2;
/** Much shorter than a timer's shortest time. */
const NAP_MILLISECONDS = 0.05;
/** After that, the time between two questions. */
const PAUSE_MILLISECONDS = 1;

/** The clock; tests have their own. */
export interface Clock {
  now(): number;
  /** At the event loop's next turn. */
  soon(call: () => void): void;
  /** At the event loop's next turn, after a moment in which the thread sleeps. */
  afterNap(call: () => void): void;
  later(call: () => void, milliseconds: number): void;
}

const realClock: Clock = {
  now: () => performance.now(),
  soon: (call) => void setImmediate(call),
  afterNap: (call) =>
    void setImmediate(() => {
      nap();
      call();
    }),
  later: (call, milliseconds) => void setTimeout(call, milliseconds),
};

const neverWoken = new Int32Array(new SharedArrayBuffer(4));

/** Stops the thread for a moment, so that the driver's threads compute. */
function nap(): void {
  try {
    Atomics.wait(neverWoken, 0, 0, NAP_MILLISECONDS);
  } catch {
    // Some hosts do not let their main thread sleep.
  }
}

type Method = (this: unknown, ...given: unknown[]) => unknown;

/**
 * Lets the event loop sleep while Dawn waits. Dawn takes `setImmediate` from the global object whenever it schedules the
 * next question; during Dawn's own calls, and only then, it finds one that pauses.
 * @param globals the classes of one copy of Dawn; their waiting methods are replaced
 */
export function pauseWhileWaiting(globals: object, clock = realClock): void {
  let since = 0;

  /** Calls Dawn, which may schedule a question meanwhile. */
  const withPauses = <T>(call: () => T): T => {
    const before = globalThis.setImmediate;
    globalThis.setImmediate = schedule as typeof globalThis.setImmediate;
    try {
      return call();
    } finally {
      globalThis.setImmediate = before;
    }
  };
  const schedule = (ask: () => void): void => {
    const askAgain = (): void => {
      withPauses(ask);
    };
    const waited = clock.now() - since;
    if (waited < EAGER_MILLISECONDS) clock.soon(askAgain);
    else if (waited < NAPPING_MILLISECONDS) clock.afterNap(askAgain);
    else clock.later(askAgain, PAUSE_MILLISECONDS);
  };

  const classes = globals as Record<string, { readonly prototype: Record<string, Method> } | undefined>;
  for (const [className, name] of WAITING_CALLS) {
    const prototype = classes[className]?.prototype;
    const method = prototype?.[name];
    if (!prototype || !method) continue; // another version of Dawn
    prototype[name] = function (...given) {
      since = clock.now();
      return withPauses(() => method.apply(this, given));
    };
  }
}
