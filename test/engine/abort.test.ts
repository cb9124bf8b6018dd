import { expect, test, vi } from 'vitest';
import { unlessAborted } from '../../src/engine/abort.ts';

test('many waits for one signal are one listener, which goes with the last of them', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const added = vi.spyOn(signal, 'addEventListener');
  const removed = vi.spyOn(signal, 'removeEventListener');
  const finish: (() => void)[] = [];
  const works = Array.from({ length: 20 }, () => new Promise<void>((resolve) => void finish.push(resolve)));
  const all = works.map((work) => unlessAborted(work, signal));
  expect(added).toHaveBeenCalledTimes(1);
  for (const end of finish.slice(1)) end();
  await Promise.all(all.slice(1));
  expect(removed).not.toHaveBeenCalled();
  finish[0]!();
  await all[0];
  expect(removed).toHaveBeenCalledTimes(1);
  await unlessAborted(Promise.resolve(), signal);
  expect(added).toHaveBeenCalledTimes(2);
});

test('an abort ends every wait with its reason, and hands over what comes late', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const late: number[] = [];
  const finish: ((value: number) => void)[] = [];
  const works = [0, 1].map(() => new Promise<number>((resolve) => void finish.push(resolve)));
  const all = works.map((work) => unlessAborted(work, controller.signal, (value) => late.push(value)));
  const outcomes = Promise.allSettled(all);
  controller.abort(reason);
  expect(await outcomes).toEqual([0, 1].map(() => ({ status: 'rejected', reason })));
  finish.forEach((end, index) => end(index));
  await Promise.all(works);
  await Promise.resolve();
  expect(late).toEqual([0, 1]);
  await expect(unlessAborted(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
});
