import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { Terminal } from '../../src/node/terminal.ts';

/** A stand-in for stderr, and all that was written to it. */
function stream(isTTY: boolean) {
  const through = Object.assign(new PassThrough(), { isTTY, columns: 200 });
  return {
    stderr: through as unknown as NodeJS.WriteStream,
    text: () => String(through.read() ?? ''),
  };
}

it('prints notices and no bars where stderr is no terminal', () => {
  const { stderr, text } = stream(false);
  const terminal = new Terminal(stderr);
  terminal.stage('load', 'bytes')(1, 2);
  terminal.notice('computing on the CPU');
  terminal.endStages();
  expect(text()).toBe('laminar: computing on the CPU\n');
});

it('draws a bar for each stage that has begun, and stops its clock when it is done', () => {
  vi.useFakeTimers();
  try {
    const { stderr, text } = stream(true);
    const terminal = new Terminal(stderr);
    const load = terminal.stage('load', 'bytes');
    const forward = terminal.stage('forward');
    terminal.stage('never begun');
    load(0, 5_808_128);
    vi.advanceTimersByTime(2000);
    load(5_808_128, 5_808_128);
    forward(0, 8);
    vi.advanceTimersByTime(5000);
    forward(2, 8);
    terminal.endStages();
    const drawn = text();
    const last = (stage: string) => drawn.slice(drawn.lastIndexOf(stage));
    expect(last('load')).toMatch(/^load +\S+ 100% {2}5\.81 MB of 5\.81 MB, 2\.90 MB\/s {2}2s/);
    expect(last('forward')).toMatch(/^forward +\S+ 25% {2}2 of 8 {2}5s/);
    expect(drawn).not.toContain('never begun');
  } finally {
    vi.useRealTimers();
  }
});
