import 'vega';

/** Vega exports how it measures words, and its types do not say so. */
declare module 'vega' {
  export const textMetrics: {
    /** Whether to measure with a canvas, where there is one, or to estimate. */
    canvas(use: boolean): void;
  };
}
