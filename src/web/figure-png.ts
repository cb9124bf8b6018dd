import { initWasm, Resvg } from '@resvg/resvg-wasm';
import wasmAddress from '@resvg/resvg-wasm/index_bg.wasm?url';
import boldAddress from 'dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf?url';
import regularAddress from 'dejavu-fonts-ttf/ttf/DejaVuSans.ttf?url';
import { figureFont, figurePixelRatio } from '../analysis/figures.ts';

const load = async (address: string) => new Uint8Array(await (await fetch(address)).arrayBuffer());

/** The renderer and its fonts, which come when the first PNG is asked for. */
let ready: Promise<Uint8Array[]> | undefined;

async function prepare(): Promise<Uint8Array[]> {
  const [fonts] = await Promise.all([
    Promise.all([regularAddress, boldAddress].map(load)),
    initWasm(fetch(wasmAddress)),
  ]);
  return fonts;
}

/** Turns a figure's SVG document into a PNG file's bytes, by the renderer and the fonts of the command. */
export async function figurePng(svg: string): Promise<Uint8Array<ArrayBuffer>> {
  const fontBuffers = await (ready ??= prepare());
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
