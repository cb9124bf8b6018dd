import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseWindow, spreadWindows } from '../../src/analysis/window.ts';
import { InputError } from '../../src/engine/errors.ts';

describe('chooseWindow', () => {
  it('takes the middle of the text, as long as the context', () => {
    expect(chooseWindow(57_035, 256)).toEqual({ start: 28_517, length: 256 });
    expect(chooseWindow(57_035, 1024, { tokens: 10 })).toEqual({ start: 28_517, length: 10 });
    expect(chooseWindow(57_035, 1024, { start: 0 })).toEqual({ start: 0, length: 1024 });
    expect(chooseWindow(1, 4, { tokens: 1 })).toEqual({ start: 0, length: 1 });
    expect(chooseWindow(8, 4, { start: 4 })).toEqual({ start: 4, length: 4 });
  });

  it('slides back where the text ends early', () => {
    expect(chooseWindow(300, 256)).toEqual({ start: 44, length: 256 });
    expect(chooseWindow(511, 256)).toEqual({ start: 255, length: 256 });
    expect(chooseWindow(512, 256)).toEqual({ start: 256, length: 256 });
    expect(chooseWindow(256, 256)).toEqual({ start: 0, length: 256 });
    expect(chooseWindow(10, 256, { tokens: 8 })).toEqual({ start: 2, length: 8 });
  });

  it('takes a text shorter than the context whole', () => {
    expect(chooseWindow(10, 256)).toEqual({ start: 0, length: 10 });
    expect(chooseWindow(1, 256)).toEqual({ start: 0, length: 1 });
    expect(chooseWindow(10, 256, { start: 0 })).toEqual({ start: 0, length: 10 });
  });

  it.each([
    ['an empty text', 0, 256, {}, /^the text holds no tokens/],
    ['an empty text and few tokens', 0, 256, { tokens: 1 }, /^the text holds no tokens/],
    [
      'a start too late for the context',
      300,
      256,
      { start: 150 },
      /too short.*tokens 150 or fewer, or start 44 or less/,
    ],
    [
      'more tokens than the text has',
      8,
      256,
      { tokens: 9 },
      /too short.*tokens 8 or fewer, or a longer text/,
    ],
    ['a start in a text shorter than the context', 8, 256, { start: 2 }, /tokens 6 or fewer, or start 0/],
    ['a text shorter than asked', 8, 256, { start: 5, tokens: 9 }, /tokens 3 or fewer, or a longer text/],
    ['a start beyond the text', 8, 256, { start: 9, tokens: 4 }, /0 of its 8 tokens.*start 4 or less/],
    ['more tokens than the context', 5000, 256, { tokens: 257 }, /context of 256 tokens; give tokens 256/],
    ['no tokens', 5000, 256, { tokens: 0 }, /tokens 0/],
    ['half a token', 5000, 256, { tokens: 1.5 }, /tokens 1.5/],
    ['a start before the text', 5000, 256, { start: -1 }, /start -1/],
    ['no number', 5000, 256, { start: Number.NaN }, /start NaN/],
  ])('refuses %s', (_, available, context, options, message) => {
    expect(() => chooseWindow(available, context, options)).toThrow(InputError);
    expect(() => chooseWindow(available, context, options)).toThrow(message);
  });

  it('calls the text what the caller calls it', () => {
    expect(() => chooseWindow(0, 4, {}, 'a.txt')).toThrow(/^a\.txt holds no tokens/);
    expect(() => chooseWindow(5, 4, { start: 3 }, 'a.txt')).toThrow(/^a\.txt is too short/);
  });
});

describe('spreadWindows', () => {
  it('keeps the chosen window and lays the others apart where the text has room, into it in any case', () => {
    const text = fc
      .tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 60 }))
      .filter(([available, length]) => length <= available)
      .chain(([available, length]) =>
        fc.record({
          available: fc.constant(available),
          length: fc.constant(length),
          start: fc.integer({ min: 0, max: available - length }),
          count: fc.integer({ min: 1, max: Math.min(9, available - length + 1) }),
        }),
      );
    fc.assert(
      fc.property(text, ({ available, length, start, count }) => {
        const { starts, overlap } = spreadWindows(available, { start, length }, count);
        expect(starts).toHaveLength(count);
        expect(starts[0]).toBe(start);
        expect(new Set(starts).size).toBe(count);
        for (const first of starts) expect(first >= 0 && first + length <= available).toBe(true);
        const sorted = [...starts].sort((a, b) => a - b);
        const isApart = sorted.every((first, index) => index === 0 || first - sorted[index - 1]! >= length);
        expect(overlap).toBe(!isApart);
        const room = Math.floor(start / length) + Math.floor((available - start - length) / length);
        expect(isApart).toBe(room >= count - 1);
      }),
    );
  });

  it('spreads them evenly', () => {
    expect(spreadWindows(100, { start: 45, length: 10 }, 5).starts).toEqual([45, 6, 28, 61, 83]);
    expect(spreadWindows(13, { start: 2, length: 10 }, 2)).toEqual({ starts: [2, 0], overlap: true });
    expect(spreadWindows(13, { start: 2, length: 10 }, 4)).toEqual({ starts: [2, 0, 1, 3], overlap: true });
  });

  it('refuses more windows than the text has', () => {
    const spread = () => spreadWindows(10, { start: 0, length: 10 }, 2, 'a.txt');
    expect(spread).toThrow(InputError);
    expect(spread).toThrow(
      /^windows 2 is more than a\.txt has: its 10 tokens hold 1 different window of 10; give windows 1 or fewer/,
    );
  });
});
