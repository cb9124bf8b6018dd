import { LaminarError } from '../engine/errors.ts';
import type { Gpu } from '../engine/gpu/gpu.ts';
import { messageLine } from '../engine/message.ts';
import { openBrowserGpu } from '../engine/gpu/open.ts';
import { measureClouds } from './clouds-spectrum.ts';
import { keptVerdicts } from './kept-verdicts.ts';
import type { Answers, FromWorker, Question, ToWorker } from './messages.ts';
import { pageSentence } from './page-words.ts';
import { captureStates, profile } from './run.ts';
import type { RunContext } from './run.ts';

/** Progress is told at most this often, in milliseconds. */
const PROGRESS_INTERVAL = 50;

let openedGpu: Promise<Gpu> | undefined;
/** Questions are answered one after another: they share one device. */
let queue: Promise<void> = Promise.resolve();
const stoppers = new Map<number, AbortController>();

const send = (message: FromWorker): void => {
  postMessage(message);
};

addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  if (data.kind === 'ping') {
    send({ kind: 'alive' });
    return;
  }
  if (data.kind === 'stop') {
    stoppers.get(data.number)?.abort();
    return;
  }
  const { number, question } = data;
  const stopper = new AbortController();
  stoppers.set(number, stopper);
  queue = queue.then(() => reply(number, question, stopper.signal));
});

async function reply(number: number, question: Question, signal: AbortSignal): Promise<void> {
  try {
    signal.throwIfAborted();
    send({ kind: 'done', number, answer: await answer(number, question, signal) });
  } catch (error) {
    send({ kind: 'failed', number, message: sentence(error), stopped: signal.aborted });
  } finally {
    stoppers.delete(number);
  }
}

async function answer(
  number: number,
  question: Question,
  signal: AbortSignal,
): Promise<Answers[Question['kind']]> {
  if (question.kind === 'clouds') return measureClouds(await openGpu(), question.clouds, question.threshold);
  const context: RunContext = {
    signal,
    gpu: await openGpu(),
    stage: progressSender(number),
    onNews: (news) => {
      send({ kind: 'news', number, news });
    },
    onNotice: (message) => {
      send({ kind: 'notice', number, message: pageSentence(message) });
    },
  };
  return question.kind === 'profile'
    ? profile(question.request, context)
    : captureStates(question.request, context);
}

/** The one device of the page; opened again after it failed or was lost. */
async function openGpu(): Promise<Gpu> {
  const known = await openedGpu?.catch(() => undefined);
  if (known && !hasFailed(known)) return known;
  known?.dispose();
  return (openedGpu = openBrowserGpu({ verdicts: keptVerdicts }));
}

function hasFailed(gpu: Gpu): boolean {
  try {
    gpu.check();
    return false;
  } catch {
    return true;
  }
}

function progressSender(number: number): RunContext['stage'] {
  return (stage) => {
    // For each stage, because two of them may alternate.
    let last = 0;
    return (done, total) => {
      const now = performance.now();
      // The beginning and the end of a stage are always told.
      if (done > 0 && done < total && now - last < PROGRESS_INTERVAL) return;
      last = now;
      send({ kind: 'progress', number, stage, done, total });
    };
  };
}

/** What went wrong, as a sentence that says what to do. */
function sentence(error: unknown): string {
  const message = messageLine(error instanceof Error ? error.message : String(error));
  if (error instanceof LaminarError) return pageSentence(error);
  if (error instanceof RangeError || (error instanceof DOMException && error.name === 'QuotaExceededError'))
    return `The browser refused memory (${message}); take fewer tokens or a smaller model.`;
  return `Something failed that should not have (${message}); reload the page and try again.`;
}
