import { createRequire } from 'node:module';
import type * as resvg from '@resvg/resvg-js';
import type { TopLevelSpec } from 'vega-lite';
import { numberClipPaths, withoutHover } from '../analysis/figure-svg.ts';
import { figureFont, figurePixelRatio } from '../analysis/figure.ts';
import type { FigureSpecification } from '../analysis/figure.ts';
import { bundledPath } from './bundled.ts';

/** Loads what `renderPng`, which cannot wait, needs; the figure libraries are large and load when a figure is drawn. */
const load = createRequire(import.meta.url);

/**
 * Draws a Vega-Lite specification as an SVG document, with no DOM and no canvas.
 * @throws what Vega throws, if the packages vega and vega-lite are missing or the specification is not valid
 */
export async function renderSvg(specification: FigureSpecification): Promise<string> {
  const [{ parse, View }, { compile }] = await Promise.all([import('vega'), import('vega-lite')]);
  const view = new View(parse(compile(withoutHover(specification) as TopLevelSpec).spec), {
    renderer: 'none',
  });
  try {
    return numberClipPaths(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/**
 * Turns an SVG document of `renderSvg` into a PNG file's bytes, with two pixels for each of its units.
 * @throws what resvg throws, if the document is not valid SVG
 */
export function renderPng(svg: string): Uint8Array {
  const { Resvg } = load('@resvg/resvg-js') as typeof resvg;
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: figurePixelRatio },
    font: { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: figureFont },
  });
  return image.render().asPng();
}

/** The figures' font. */
function fontFiles(): string[] {
  return ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((file) => bundledPath(`src/analysis/fonts/${file}`));
}
