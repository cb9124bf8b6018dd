import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EngineClient, Stopped } from '../../src/web/engine-client.ts';
import type { FromWorker, ToWorker } from '../../src/web/messages.ts';

/** A worker of the page that does what a test says, and nothing else. */
class FakeWorker extends EventTarget {
  static readonly all: FakeWorker[] = [];
  readonly received: ToWorker[] = [];
  hasEnded = false;
  answersPings = true;
  refuses = false;

  constructor() {
    super();
    FakeWorker.all.push(this);
  }

  postMessage(message: ToWorker): void {
    if (this.refuses) throw new DOMException('it cannot be cloned', 'DataCloneError');
    this.received.push(message);
    if (message.kind === 'ping' && this.answersPings) this.send({ kind: 'alive' });
  }

  terminate(): void {
    this.hasEnded = true;
  }

  send(data: FromWorker): void {
    this.dispatchEvent(new MessageEvent('message', { data }));
  }

  fail(type: 'error' | 'messageerror', message = ''): void {
    this.dispatchEvent(Object.assign(new Event(type, { cancelable: true }), { message }));
  }
}

const question = { kind: 'clouds', clouds: [], threshold: 95 } as const;
const outcomeOf = (promise: Promise<unknown>) => promise.catch((error: unknown) => error as Error);
let client: EngineClient;

beforeEach(() => {
  FakeWorker.all.length = 0;
  vi.stubGlobal('Worker', FakeWorker);
  vi.useFakeTimers();
  client = new EngineClient();
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0); // nothing is asked of a worker that has nothing to do
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Whatever happened: the next question goes to a worker that answers. */
async function expectNextAnswered(workers: number): Promise<void> {
  const next = client.ask(question);
  expect(FakeWorker.all).toHaveLength(workers);
  const worker = FakeWorker.all.at(-1)!;
  worker.refuses = false;
  const { number } = worker.received.findLast((message) => message.kind === 'ask')!;
  worker.send({ kind: 'done', number, answer: [] });
  expect(await next).toEqual([]);
}

test.each([
  [
    'throws',
    (worker: FakeWorker) => worker.fail('error', 'Uncaught \u001b[2J'),
    /failed \(Uncaught \\u001b\[2J\); reload/,
  ],
  ['cannot be loaded', (worker: FakeWorker) => worker.fail('error'), /its script could not be loaded/],
  [
    'sends what cannot be read',
    (worker: FakeWorker) => worker.fail('messageerror'),
    /answer could not be read/,
  ],
])('a worker that %s fails every question, and the next one is answered', async (_, fail, sentence) => {
  const outcomes = [client.ask(question), client.ask(question)].map(outcomeOf);
  fail(FakeWorker.all[0]!);
  for (const outcome of await Promise.all(outcomes))
    expect(outcome).toHaveProperty('message', expect.stringMatching(sentence));
  expect(FakeWorker.all[0]!.hasEnded).toBe(true);
  await expectNextAnswered(2);
});

test('a worker that dies without a word fails the question in a minute; one that is only slow does not', async () => {
  const slow = outcomeOf(client.ask(question));
  const worker = FakeWorker.all[0]!;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(worker.hasEnded).toBe(false);
  worker.answersPings = false;
  await vi.advanceTimersByTimeAsync(55_000);
  worker.send({ kind: 'notice', number: 1, message: 'progress counts as an answer' });
  await vi.advanceTimersByTimeAsync(55_000);
  expect(worker.hasEnded).toBe(false);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(worker.hasEnded).toBe(true);
  expect(await slow).toHaveProperty(
    'message',
    expect.stringMatching(/it has not answered for 60 s\); reload/),
  );
  await expectNextAnswered(2);
});

test('a stop that the worker does not hear ends it, and one before the question never starts it', async () => {
  expect(await outcomeOf(client.ask(question, AbortSignal.abort()))).toBeInstanceOf(Stopped);
  expect(FakeWorker.all).toHaveLength(0);
  const stopper = new AbortController();
  const stopped = outcomeOf(client.ask(question, stopper.signal));
  FakeWorker.all[0]!.answersPings = false;
  stopper.abort();
  await vi.advanceTimersByTimeAsync(500);
  expect(await stopped).toBeInstanceOf(Stopped);
  expect(FakeWorker.all[0]!.hasEnded).toBe(true);
  await expectNextAnswered(2);
});

test('a question that cannot be sent fails alone', async () => {
  const waiting = client.ask(question);
  const worker = FakeWorker.all[0]!;
  worker.refuses = true;
  expect(await outcomeOf(client.ask(question))).toHaveProperty('name', 'DataCloneError');
  worker.refuses = false;
  worker.send({ kind: 'done', number: 2, answer: [] }); // nobody waits for it
  worker.send({ kind: 'done', number: 1, answer: [] });
  expect(await waiting).toEqual([]);
  await expectNextAnswered(1);
});
