import { describe, expect, it } from 'vitest';
import { figures } from '../../src/analysis/figures.ts';
import { renderPng, renderSvg } from '../../src/node/render.ts';
import { readExpected } from '../support/golden-expectations.ts';
import { makeReport } from '../support/report-fixture.ts';

async function drawnFigures(name: string) {
  const { sequences } = await readExpected(name);
  const [real, shuffled = real] = sequences;
  const report = makeReport(real!, shuffled!, real!.columns);
  return figures(report, { real: real!.spectra, shuffled: shuffled!.spectra });
}

/** The width and height that a PNG's header names. */
function pngSize(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

describe.each(['alice-gpt2', 'gpt2-one-token'])('the figures of %s', (name) => {
  it('become SVG with title, legend and axes, and PNG of twice its size', async () => {
    for (const { title, specification, name: figure } of await drawnFigures(name)) {
      const svg = await renderSvg(specification);
      const words = [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map((match) => match[1]);
      expect(words, figure).toEqual(expect.arrayContaining([title, 'real', 'shuffled']));
      if (figure === 'effective-dimension') expect(words).toContain('Percent of rank');
      expect(svg).not.toMatch(/NaN|undefined/);
      const [, width, height] = /<svg[^>]*width="([\d.]+)" height="([\d.]+)"/.exec(svg)!;
      const png = renderPng(svg);
      expect([...png.subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
      expect(pngSize(png)).toEqual([2 * Number(width), 2 * Number(height)]);
    }
  });
});

it('writes out characters that XML forbids, and draws the rest', async () => {
  const { sequences } = await readExpected('gpt2-one-token');
  const [real] = sequences;
  const model = { id: 'a\u001b[31m<b>\u0000 \u202e&' };
  const report = makeReport(real!, real!, real!.columns, { model });
  const drawn = figures(report, { real: real!.spectra, shuffled: real!.spectra });
  const svg = await renderSvg(drawn.at(-1)!.specification);
  expect(svg).toContain('a\\u001b[31m&lt;b&gt;\\u0000 \\u202e&amp;');
  expect(renderPng(svg).length).toBeGreaterThan(1000);
});

describe('renderPng', () => {
  it('brings its own font: letters leave ink', () => {
    const svg = (text: string) =>
      `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40"><text x="5" y="25" font-family="DejaVu Sans, sans-serif">${text}</text></svg>`;
    expect(renderPng(svg('Layer')).length).toBeGreaterThan(2 * renderPng(svg(' ')).length);
  });
});
