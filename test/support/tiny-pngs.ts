import { createRequire } from 'node:module';
import { onTestFinished } from 'vitest';

interface Drawing {
  Resvg: new () => { render: () => { asPng: () => Uint8Array } };
}

/** A PNG of one pixel. */
const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgABc3UBGAAAAABJRU5ErkJggg==',
  'base64',
);

/**
 * Lets figures become PNGs of one pixel until the test ends: for runs of which only the other files are looked at. To draw
 * one takes as long as to profile a small model.
 */
export function useTinyPngs(): void {
  const library = createRequire(import.meta.url)('@resvg/resvg-js') as Drawing;
  const { Resvg } = library;
  library.Resvg = class {
    render() {
      return { asPng: () => PIXEL };
    }
  };
  onTestFinished(() => {
    library.Resvg = Resvg;
  });
}
