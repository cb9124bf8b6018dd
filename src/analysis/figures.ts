import { InputError } from '../engine/errors.ts';
import type { SingularValues } from './dimensions.ts';
import { measureFigures, measureViewFigures } from './figure-measures.ts';
import { effectiveDimensionFigure, rankFigure } from './figure-layers.ts';
import { spectrumFigures, spectrumViewFigures } from './figure-spectrum.ts';
import { visibleTexts } from './figure-svg.ts';
import { blockFigures, blockViewFigures } from './figure-blocks.ts';
import { viewFigures } from './figure-views.ts';
import { maxLogSoftmaxFigure } from './figure-tokens.ts';
import type { Figure } from './figure.ts';
import type { Report, SequencesBy } from './report.ts';

export { figureFont, figurePixelRatio } from './figure.ts';
export type { Figure, FigureSpecification } from './figure.ts';

/** The singular values of every state 0 to L of each sequence, each [components]; those of views by `spectrumName`. */
export type ProfileSpectra = SequencesBy<readonly SingularValues[]>;

export interface FigureOptions {
  /** Whose spectrum to draw; the middle one, floor(L / 2), unless asked. */
  readonly layer?: number | undefined;
}

/** The layer whose spectrum is shown unless another one is asked for. */
export function middleLayer(layers: number): number {
  return Math.floor(layers / 2);
}

/** The names of all figures, drawn or not; the first six need nothing but a profile. */
export const figureNames = [
  'max-log-softmax',
  'singular-values',
  'percent-variance',
  'cumulative',
  'rank',
  'effective-dimension',
  'shuffle-blocks',
  'singular-values-views',
  'percent-variance-views',
  'cumulative-views',
  'rank-views',
  'effective-dimension-views',
  'participation-ratio-views',
  'shuffle-blocks-views',
  'measures',
  'measures-views',
] as const;

/**
 * The figures of a profile, as Vega-Lite 6 specifications with their data inside: plain objects for a compiler in Node or in
 * a browser. There are five. If there are logits, their density comes first. Blocks, views and measures add more. Rows of the per-layer figures have the field `layer`, for listeners to clicks.
 * @throws InputError if there is no such layer, or the spectra are not the report's
 */
export function figures(report: Report, spectra: ProfileSpectra, options: FigureOptions = {}): Figure[] {
  const layer = options.layer ?? middleLayer(report.model.layers);
  const real = spectra.real[layer];
  const shuffled = spectra.shuffled[layer];
  if (real === undefined || shuffled === undefined || report.sequences.real.layers[layer] === undefined)
    throw new InputError(`there is no layer ${layer} to draw; give one from 0 to ${report.model.layers}`, {
      code: 'option-out-of-range',
      subject: { kind: 'option', name: 'layer' },
    });
  return reportFigures(report, {
    figures: spectrumFigures(report, spectra, layer),
    views: spectrumViewFigures(report, spectra, layer),
  });
}

/** Figures that need singular values. */
interface OfSpectrum {
  readonly figures: readonly Figure[];
  /** The same of the views. */
  readonly views: readonly Figure[];
}

/**
 * The figures that need no singular values: of a report that came alone.
 * @param spectrum those that do, to stand among them
 */
export function reportFigures(report: Report, spectrum: OfSpectrum = { figures: [], views: [] }): Figure[] {
  const tokens = maxLogSoftmaxFigure(report);
  return visibleTexts([
    ...(tokens ? [tokens] : []),
    ...spectrum.figures,
    rankFigure(report),
    effectiveDimensionFigure(report),
    ...blockFigures(report),
    ...spectrum.views,
    ...viewFigures(report),
    ...blockViewFigures(report),
    ...measureFigures(report),
    ...measureViewFigures(report),
  ]);
}
