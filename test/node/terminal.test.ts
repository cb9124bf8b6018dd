import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { duration, progressLine } from '../../src/node/progress-line.ts';
import { terminalAbilities } from '../../src/node/terminal-abilities.ts';
import { Terminal } from '../../src/node/terminal.ts';

/** A stand-in for stderr, and all that was written to it. */
function stream(isTTY: boolean, columns = 100) {
  const through = Object.assign(new PassThrough(), { isTTY, columns });
  return {
    stderr: through as unknown as NodeJS.WriteStream,
    text: () => String(through.read() ?? ''),
  };
}

/** What a terminal shows in the end: its lines, each after the last time that it was cleared. */
const shown = (text: string) => text.split('\n').map((line) => line.split('\r\u001b[K').at(-1)!);

describe('Terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubEnv('TERM', 'xterm');
    vi.stubEnv('LC_ALL', 'C.UTF-8');
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllEnvs();
  });

  it('prints notices and no progress where stderr is no terminal', () => {
    const { stderr, text } = stream(false);
    const terminal = new Terminal(stderr);
    terminal.stage('load', 'bytes')(1, 2);
    terminal.notice('computing on the CPU');
    terminal.endStages();
    expect(text()).toBe('laminar: computing on the CPU\n');
  });

  it('draws one line, of the stage that reported last, and goes on with its clock', () => {
    const { stderr, text } = stream(true);
    const terminal = new Terminal(stderr);
    const load = terminal.stage('load', 'bytes');
    const forward = terminal.stage('forward');
    load(0, 5_808_128);
    expect(shown(text())).toEqual([expect.stringMatching(/^load {2}░+ {4}0% {2}0 B of 5\.81 MB {2}0 s$/)]);
    vi.advanceTimersByTime(2000);
    load(5_808_128, 5_808_128);
    expect(shown(text())).toEqual([
      expect.stringMatching(/^load {2}█+ {2}100% {2}5\.81 MB of 5\.81 MB, 2\.90 MB\/s {2}2 s$/),
    ]);
    forward(0, 8);
    vi.advanceTimersByTime(5200);
    forward(2, 8, 'shuffled');
    const line = /^forward {2}█+░+ {3}25% {2}2 of 8, shuffled {2}5 s, 16 s left$/;
    expect(shown(text())).toEqual([expect.stringMatching(line)]);
    vi.advanceTimersByTime(1000);
    expect(shown(text())).toEqual([expect.stringMatching(/ 6 s, 18 s left$/)]);
  });

  it('keeps notices above the line, and leaves nothing of it behind', () => {
    const { stderr, text } = stream(true);
    const terminal = new Terminal(stderr);
    terminal.stage('never begun');
    terminal.stage('forward')(1, 8);
    terminal.notice('computing on the CPU');
    expect(shown(text())).toEqual(['laminar: computing on the CPU', expect.stringMatching(/^forward /)]);
    terminal.endStages();
    expect(shown(text())).toEqual(['']);
    vi.advanceTimersByTime(5000);
    expect(text()).toBe('');
  });

  it('shows no progress on a terminal that cannot draw over a line', () => {
    vi.stubEnv('TERM', 'dumb');
    const { stderr, text } = stream(true);
    new Terminal(stderr).stage('forward')(1, 8);
    expect(text()).toBe('');
  });
});

describe('progressLine', () => {
  const state = {
    name: 'spectrum',
    done: 5,
    total: 14,
    amount: '5 of 14',
    seconds: 61,
    secondsLeft: 4000,
  };

  it.each([1, 8, 14, 20, 26, 40, 50, 80, 200])(
    'fits a terminal of %i columns, and names the stage',
    (columns) => {
      const line = progressLine(state, columns, true);
      expect(line.length).toBeLessThan(columns);
      expect(line.startsWith('spectrum'.slice(0, columns - 1))).toBe(true);
      expect(line.includes('1 min 1 s')).toBe(columns >= 80);
      expect(line.includes('5 of 14')).toBe(columns >= 40);
      expect(line.includes('35%')).toBe(columns >= 20);
    },
  );

  it('is ASCII where the terminal shows no more', () => {
    expect(progressLine(state, 50, false)).toMatch(/^[\x20-\x7e]+$/);
    expect(progressLine({ ...state, total: 0 }, 50, true)).toContain('100%');
  });

  it('says how long in words', () => {
    expect([0.4, 59.4, 59.6, 3599, 7500].map(duration)).toEqual([
      '0 s',
      '59 s',
      '1 min 0 s',
      '59 min 59 s',
      '2 h 5 min',
    ]);
  });
});

describe('terminalAbilities', () => {
  it.each([
    [{ isTTY: true, columns: 50 }, {}, { columns: 50, isUnicode: true, hasColour: true, canRedraw: true }],
    [{ isTTY: true, columns: 0 }, { NO_COLOR: '1' }, { columns: 80, hasColour: false, canRedraw: true }],
    [{ isTTY: true }, { NO_COLOR: '' }, { columns: 80, hasColour: true }],
    [{ isTTY: true }, { LC_ALL: '', LANG: 'en_GB.UTF-8' }, { isUnicode: true }],
    [{ isTTY: true }, { LC_ALL: 'C', LANG: 'en_GB.UTF-8' }, { isUnicode: false }],
    [{ isTTY: true }, { TERM: 'linux' }, { isUnicode: false, hasColour: true }],
    [{ isTTY: true }, { TERM: 'dumb' }, { isUnicode: false, hasColour: false, canRedraw: false }],
    [{}, {}, { isUnicode: true, hasColour: false, canRedraw: false }],
  ])('of %j with %j', (terminal, environment, abilities) => {
    expect(terminalAbilities(terminal, environment)).toMatchObject(abilities);
  });
});
