import type { Band, BandOfLayer, BandOfNumber } from './bands.ts';
import { colours, sequenceSeries } from './figure-style.ts';
import type { Layer, PositionX, PositionY, Series } from './figure-style.ts';
import type { Report, SequenceReport } from './report.ts';

/** A place on the x axis, and from where to where the numbers of a group of sequences reach there. */
export interface ShadedPlace {
  readonly low: number;
  readonly high: number;
  readonly [field: string]: number;
}

/** The area from the lowest to the highest number of a group of sequences, under the lines. */
export function shaded(
  rows: readonly ShadedPlace[],
  x: PositionX,
  y: PositionY,
  color: string,
  opacity = 0.2,
): Layer {
  return {
    data: { values: rows.map((row) => ({ ...row })) },
    mark: { type: 'area', color, opacity, clip: true },
    encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' } },
  };
}

/** A group whose numbers are drawn as a band: of two sequences or more. */
export interface ShadedGroup {
  readonly band: Band;
  readonly colour: string;
  /** How many of what, and its colour in words, for a subtitle. */
  readonly words: string;
  readonly hue: string;
}

/** The bands that figures over the layers show: of shuffles, and of windows. */
export function shadedGroups({ bands = {} }: Report): ShadedGroup[] {
  const { shuffled, window } = bands;
  return [
    ...(window ? [{ band: window, colour: colours.real, of: 'windows', hue: 'blue' }] : []),
    ...(shuffled ? [{ band: shuffled, colour: colours.shuffled, of: 'shuffles', hue: 'vermilion' }] : []),
  ].flatMap(({ band, colour, of, hue }) => {
    const count = band.sequences.length;
    return count < 2 ? [] : [{ band, colour, words: `${count} ${of}`, hue }];
  });
}

/** `shaded: lowest to highest of 8 shuffles (vermilion)`, for a subtitle; no line if there are no bands. */
export function shadedWords(groups: readonly ShadedGroup[]): string[] {
  if (groups.length === 0) return [];
  return [`shaded: lowest to highest of ${groups.map(({ words, hue }) => `${words} (${hue})`).join(', ')}`];
}

/** A band's places over the layers; layers without a number have none. */
export function placesOf(layers: readonly BandOfLayer[], measure: string): ShadedPlace[] {
  return layers.flatMap((ofLayer) => {
    // A view without rows or columns has no bands of measures.
    const band = ofLayer[measure] as BandOfNumber | null | undefined;
    return !band ? [] : [{ layer: ofLayer.layer ?? 0, low: band.min, high: band.max }];
  });
}

/** How many permutations stand behind the shuffled line of a figure. */
export function shuffleCount({ bands }: Report): number {
  return bands?.['shuffled']?.sequences.length ?? 1;
}

/** The two lines of a figure: the text, and its shuffle or the median of its shuffles. */
export function lineSeries(report: Report): readonly Series[] {
  const count = shuffleCount(report);
  const [real, shuffled] = sequenceSeries as readonly [Series, Series];
  return count === 1 ? sequenceSeries : [real, { ...shuffled, label: `median of ${count} shuffles` }];
}

/**
 * What the shuffled line shows: the one permutation, or medians over several.
 * @param band of them, in the view or the activation that the layers are of
 */
export function medianLayers(
  { layers }: Pick<SequenceReport, 'layers'>,
  band: readonly BandOfLayer[] | undefined,
): SequenceReport['layers'] {
  if (!band) return layers;
  return layers.map((layer, place) => ({
    ...layer,
    ...Object.fromEntries(
      Object.entries(band[place]!).flatMap(([name, number]) =>
        typeof number === 'object' ? [[name, number && number.median]] : [],
      ),
    ),
  }));
}
