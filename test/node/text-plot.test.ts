import { describe, expect, it } from 'vitest';
import { textPlot } from '../../src/node/text-plot.ts';

const real = { label: 'real', values: [36, 26, 28, 30, 31, 31, 32] };
const shuffled = { label: 'shuffled', values: [36, 25, 20, 20, 22, 24, 8] };
const terminal = { columns: 60, isUnicode: true, hasColour: false, canRedraw: true };
const draw = (change: Partial<typeof terminal> = {}, curves: [typeof real, typeof real] = [real, shuffled]) =>
  textPlot('Effective dimension', curves, { ...terminal, ...change }).split('\n');

describe('textPlot', () => {
  it.each([30, 50, 80, 120, 300])('fits a terminal of %i columns', (columns) => {
    for (const isUnicode of [true, false]) {
      const lines = draw({ columns, isUnicode });
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(Math.min(columns, 120));
      expect(lines.at(-2)).toMatch(/^ +0 +layer +6$/);
    }
  });

  it('draws nothing where there is no room, or nothing to draw', () => {
    expect(draw({ columns: 29 })).toEqual(['']);
    const none = { label: 'real', values: [0, 0] };
    expect(draw({}, [none, none])).toEqual(['']);
    expect(
      textPlot(
        '',
        [
          { label: 'a', values: [null] },
          { label: 'b', values: [] },
        ],
        terminal,
      ),
    ).toBe('');
  });

  it('stands on zero, with the highest number at the top', () => {
    const lines = draw({ isUnicode: false }, [shuffled, real]);
    expect(lines[2]).toMatch(/^36 \|\*/);
    expect(lines.at(-3)).toMatch(/^ 0 \+-+$/);
    // 8 of 36 is two of nine steps above the axis, and the last mark of the row.
    expect(lines.at(-6)).toMatch(/^ {3}\| +\*+$/);
    expect(lines.at(-4)).toBe('   |');
  });

  it('draws the first curve solid and the second dashed', () => {
    const flat = (value: number) => ({ label: 'flat', values: [value, value] });
    const rows = draw({ isUnicode: false }, [flat(9), flat(3)]).map((line) => line.slice(3));
    expect(rows[2]).toMatch(/^\*{55}$/);
    expect(rows[8]).toMatch(/^(\.\.\. {3})+\.*$/);
    expect(draw({}, [flat(9), flat(3)])[2]).toMatch(/⠉{55}$/);
  });

  it('is ASCII where the terminal shows no more, and coloured where it may be', () => {
    expect(draw({ isUnicode: false }).join('')).toMatch(/^[\x20-\x7e]+$/);
    expect(draw().join('')).not.toContain('\u001b');
    const coloured = draw({ hasColour: true }).join('\n');
    expect(coloured).toContain('\u001b[36m⠒⠒⠒\u001b[0m real');
    expect(
      coloured.replaceAll('\u001b[36m', '').replaceAll('\u001b[33m', '').replaceAll('\u001b[0m', ''),
    ).toBe(draw().join('\n'));
  });

  it('takes one layer, and gaps', () => {
    const gap = { label: 'real', values: [4, null, 4] as number[] };
    expect(draw({}, [gap, gap]).length).toBe(15);
    expect(
      draw({}, [
        { label: 'a', values: [3] },
        { label: 'b', values: [2] },
      ]).at(-2),
    ).toMatch(/0$/);
  });
});
