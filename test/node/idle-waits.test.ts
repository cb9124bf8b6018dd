import { describe, expect, it } from 'vitest';
import { pauseWhileWaiting } from '../../src/node/idle-waits.ts';

/** A queue that asks `turns` times, as Dawn does: by the setImmediate that is global at that moment. */
function fakeGlobals() {
  const seen: unknown[] = [];
  class GPUQueue {
    onSubmittedWorkDone(turns: number): Promise<number> {
      return new Promise((resolve) => {
        const schedule = (left: number): void => {
          seen.push(globalThis.setImmediate);
          globalThis.setImmediate(() => {
            if (left === 1) resolve(turns);
            else schedule(left - 1);
          });
        };
        schedule(turns);
      });
    }
    submit(): void {
      seen.push(globalThis.setImmediate);
    }
  }
  return { globals: { GPUQueue }, queue: new GPUQueue(), seen };
}

describe('pauseWhileWaiting', () => {
  it('gives every question of a wait another setImmediate, and nobody else', async () => {
    const { globals, queue, seen } = fakeGlobals();
    const own = globalThis.setImmediate;
    pauseWhileWaiting(globals);
    const waiting = queue.onSubmittedWorkDone(20);
    expect(globalThis.setImmediate).toBe(own);
    queue.submit();
    expect(seen.pop()).toBe(own);
    expect(await waiting).toBe(20);
    expect(globalThis.setImmediate).toBe(own);
    expect(seen).toHaveLength(20);
    expect(seen).not.toContain(own);
  });

  it('asks at once at first, after naps then, and with pauses after a while', async () => {
    const { globals, queue } = fakeGlobals();
    const asked: (number | 'soon' | 'after a nap')[] = [];
    let now = 0;
    pauseWhileWaiting(globals, {
      now: () => now,
      soon: (call) => {
        asked.push('soon');
        now += 0.125;
        queueMicrotask(call);
      },
      afterNap: (call) => {
        asked.push('after a nap');
        now += 0.875;
        queueMicrotask(call);
      },
      later: (call, milliseconds) => {
        asked.push(milliseconds);
        now += milliseconds;
        queueMicrotask(call);
      },
    });
    await queue.onSubmittedWorkDone(6);
    expect(asked).toEqual(['soon', 'soon', 'after a nap', 'after a nap', 1, 1]);
    asked.length = 0;
    await queue.onSubmittedWorkDone(5);
    expect(asked).toEqual(['soon', 'soon', 'after a nap', 'after a nap', 1]);
  });

  it('restores setImmediate where a call throws, and passes the error on', () => {
    class GPUBuffer {
      mapAsync(): never {
        throw new TypeError('no such mode');
      }
    }
    pauseWhileWaiting({ GPUBuffer });
    const own = globalThis.setImmediate;
    expect(() => new GPUBuffer().mapAsync()).toThrow(TypeError);
    expect(globalThis.setImmediate).toBe(own);
  });

  it('takes a copy of Dawn that lacks some of the calls', () => {
    expect(() => {
      pauseWhileWaiting({ GPUQueue: class extends EventTarget {} });
    }).not.toThrow();
  });
});
