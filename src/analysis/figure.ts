/**
 * A Vega-Lite 6 specification with its data inside, for `compile` of the package vega-lite. Its own type is not named
 * here: otherwise a program that only reads reports would have to install that package.
 */
export interface FigureSpecification {
  /** The figure in words, for those who do not see it. */
  readonly description?: string;
  readonly title?: unknown;
}

/** One figure: its file name without an ending, its title, and what draws it. */
export interface Figure {
  readonly name: string;
  readonly title: string;
  readonly specification: FigureSpecification;
}

/** The font that figures are drawn with; it comes with the package, for machines that have none. */
export const figureFont = 'DejaVu Sans';
/** PNG pixels per unit of a figure. */
export const figurePixelRatio = 2;
