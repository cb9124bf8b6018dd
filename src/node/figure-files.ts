import { setImmediate as turn } from 'node:timers/promises';
import type { Figure } from '../analysis/figure.ts';
import type { FileSet } from './file-set.ts';

/** The files of figures, by the figures' names. */
export function figureFileNames(names: readonly string[]): string[] {
  return names.flatMap((name) => [`figures/${name}.svg`, `figures/${name}.png`]);
}

/**
 * Draws figures into a run's files, each as SVG and PNG.
 * @param onFigure told how many are drawn, before each
 * @throws FileError if one cannot be written, and the signal's reason if it aborts
 */
export async function writeFigures(
  files: FileSet,
  figures: readonly Figure[],
  { signal, onFigure }: { readonly signal: AbortSignal; readonly onFigure: (done: number) => void },
): Promise<void> {
  // Vega is loaded only for drawing.
  const { renderPng, renderSvg } = await import('./render.ts');
  for (const [index, { name, specification }] of figures.entries()) {
    signal.throwIfAborted();
    onFigure(index);
    const [svgName, pngName] = figureFileNames([name]) as [string, string];
    const svg = await renderSvg(specification);
    await files.write(svgName, svg);
    // Drawing takes a while, and signals are heard between turns.
    await turn();
    signal.throwIfAborted();
    await files.write(pngName, renderPng(svg));
    await turn();
  }
  signal.throwIfAborted();
}
