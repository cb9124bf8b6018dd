import { messageLine } from '../engine/message.ts';
import type { Answers, FromWorker, Question, RunNews, Stage, ToWorker } from './messages.ts';

/** A worker that does not stop on its own in this time is ended, in milliseconds. */
const PATIENCE = 500;
/** While an answer is awaited, the worker is asked this often whether it still runs, in milliseconds. */
const PING_INTERVAL = 5_000;
/**
 * After so many pings without any message from it, the worker counts as dead. Pings are counted and not seconds: a machine
 * that slept, or a tab in the background, sends fewer.
 */
const MAX_PINGS = 12;

/** The question was stopped, by the user. */
export class Stopped extends Error {}

/** What is told while a question is worked on. */
export interface Listener {
  readonly onProgress?: (stage: Stage, done: number, total: number) => void;
  readonly onNotice?: (message: string) => void;
  /** Told what is known of a run before its end. */
  readonly onNews?: (news: RunNews) => void;
}

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
  readonly listener: Listener;
}

/** The page's side of the worker that runs the engine; the worker starts with the first question. */
export class EngineClient {
  #worker: Worker | undefined;
  #count = 0;
  /** Pings since the worker's last message. */
  #pings = 0;
  #pinging: ReturnType<typeof setInterval> | undefined;
  readonly #waiting = new Map<number, Waiting>();

  /**
   * Asks the engine. Questions are answered one after another.
   * @param signal stops the work: within a second, whatever the GPU is doing
   * @throws Error with a sentence for the user; Stopped if the signal stopped it
   */
  ask<Kind extends Question['kind']>(
    question: Extract<Question, { kind: Kind }>,
    signal?: AbortSignal,
    listener: Listener = {},
  ): Promise<Answers[Kind]> {
    if (signal?.aborted) return Promise.reject(new Stopped('stopped'));
    this.#worker ??= this.#start();
    const number = ++this.#count;
    const stop = (): void => {
      if (this.#waiting.has(number)) this.#stop(number);
    };
    signal?.addEventListener('abort', stop, { once: true });
    return new Promise<Answers[Kind]>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject, listener });
      this.#send({ kind: 'ask', number, question });
      this.#watch();
    }).finally(() => {
      signal?.removeEventListener('abort', stop);
      this.#waiting.delete(number);
      if (this.#waiting.size === 0) this.#rest();
    });
  }

  /** Asks again and again whether the worker runs: a worker may die without a message. */
  #watch(): void {
    if (this.#pinging !== undefined) return;
    this.#pings = 0;
    this.#pinging = setInterval(() => {
      if (this.#pings === MAX_PINGS)
        this.#end(failed(`it has not answered for ${(MAX_PINGS * PING_INTERVAL) / 1000} s`));
      else {
        this.#pings += 1;
        this.#send({ kind: 'ping' });
      }
    }, PING_INTERVAL);
  }

  #rest(): void {
    clearInterval(this.#pinging);
    this.#pinging = undefined;
  }

  #stop(number: number): void {
    this.#send({ kind: 'stop', number });
    setTimeout(() => {
      if (this.#waiting.has(number)) this.#end(new Stopped('stopped'));
    }, PATIENCE);
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
      this.#receive(data);
    });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      this.#end(failed(event.message || 'its script could not be loaded'));
    });
    worker.addEventListener('messageerror', () => {
      this.#end(failed('its answer could not be read, maybe for lack of memory'));
    });
    return worker;
  }

  #receive(message: FromWorker): void {
    this.#pings = 0;
    if (message.kind === 'alive') return;
    const waiting = this.#waiting.get(message.number);
    switch (message.kind) {
      case 'progress':
        waiting?.listener.onProgress?.(message.stage, message.done, message.total);
        return;
      case 'news':
        waiting?.listener.onNews?.(message.news);
        return;
      case 'notice':
        waiting?.listener.onNotice?.(message.message);
        return;
      case 'done':
        this.#waiting.delete(message.number);
        waiting?.resolve(message.answer as never);
        return;
      case 'failed':
        this.#waiting.delete(message.number);
        waiting?.reject(message.stopped ? new Stopped('stopped') : new Error(message.message));
    }
  }

  /** Ends the worker and everything that waits for it; the next question starts another. */
  #end(reason: Error): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    this.#rest();
  }
}

function failed(reason: string): Error {
  return new Error(`The engine's worker failed (${messageLine(reason)}); reload the page and try again.`);
}
