import { initWasm, Resvg } from '@resvg/resvg-wasm';
import wasmAddress from '@resvg/resvg-wasm/index_bg.wasm?url';
import { figureFont, figurePixelRatio } from '../analysis/figures.ts';
import boldAddress from '../analysis/fonts/DejaVuSans-Bold.ttf?url';
import regularAddress from '../analysis/fonts/DejaVuSans.ttf?url';
import { pagePart } from './page-part.ts';

/** The renderer's fonts; they and it come when the first PNG is asked for. */
let ready: Promise<Uint8Array[]> | undefined;

async function prepare(): Promise<Uint8Array[]> {
  const [program, ...fonts] = await Promise.all([wasmAddress, regularAddress, boldAddress].map(load));
  await initWasm(program!);
  return fonts;
}

async function load(address: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: the server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Turns a figure's SVG document into a PNG file's bytes, by the renderer and the fonts of the command. */
export async function figurePng(svg: string): Promise<Uint8Array<ArrayBuffer>> {
  ready ??= pagePart(prepare());
  // If it failed without a network, it may be tried again.
  ready.catch(() => (ready = undefined));
  const fontBuffers = await ready;
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: figurePixelRatio },
    font: { fontBuffers, defaultFontFamily: figureFont },
  });
  try {
    return new Uint8Array(image.render().asPng());
  } finally {
    image.free();
  }
}
