import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import type { TopLevelSpec } from 'vega-lite';
import { numberClipPaths } from '../analysis/figure-svg.ts';
import { figureFont, figurePixelRatio } from '../analysis/figures.ts';

/** The figures' font. */
const fontFiles = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${file}`),
);

/** Draws a Vega-Lite specification as an SVG document, with no DOM and no canvas. */
export async function renderSvg(specification: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(specification).spec), { renderer: 'none' });
  try {
    return numberClipPaths(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** Turns an SVG document of `renderSvg` into a PNG file's bytes, at twice its size. */
export function renderPng(svg: string): Uint8Array {
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: figurePixelRatio },
    font: { fontFiles, loadSystemFonts: false, defaultFontFamily: figureFont },
  });
  return image.render().asPng();
}
