import type { TopLevelSpec } from 'vega-lite';
import { shadedGroups } from './figure-bands.ts';
import {
  frame,
  lineEncoding,
  ofBoth,
  pointEncoding,
  pointMark,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import type { Layer, PositionX, PositionY } from './figure-style.ts';
import type { Figure } from './figure.ts';
import { few, fixed } from './quantities.ts';
import { sequenceNames } from './report.ts';
import type { Report } from './report.ts';

/** A histogram narrower than this, in nats, holds rounding alone: the axis spans at least so much. */
const NARROWEST = 0.1;

/**
 * The densities of the maximum log-softmax, real and shuffled, each drawn at its bins' left edges; undefined if the
 * model gives no logits.
 */
export function maxLogSoftmaxFigure(report: Report): Figure | undefined {
  const { real, shuffled } = report.sequences;
  if (!real.max_log_softmax || !shuffled.max_log_softmax) return undefined;
  const softmax = { real: real.max_log_softmax, shuffled: shuffled.max_log_softmax };
  const title = 'Log-probability of the most likely next token';
  const means = ofBoth((name) => fixed(softmax[name].mean, 2));
  const bins = sequenceNames.flatMap((series) => {
    const { edges, density } = softmax[series].histogram;
    return density.map((height, bin) => ({
      series,
      edge: edges[bin]!,
      end: edges[bin + 1]!,
      density: height,
      bin: `${few(edges[bin]!)} to ${few(edges[bin + 1]!)}`,
      height: few(height),
    }));
  });
  const others = otherDensities(report);
  const x: PositionX = {
    field: 'edge',
    type: 'quantitative',
    title: 'Maximum log-softmax (nats)',
    scale: { domain: edgeDomain([...bins, ...others.flatMap(({ rows }) => rows)]), nice: true },
    axis: { tickCount: 8 },
  };
  const y: PositionY = {
    field: 'density',
    type: 'quantitative',
    title: 'Density',
    scale: { zero: true },
    axis: bins.some(({ density }) => density >= 1e5) ? { format: '.1e' } : {},
  };
  // One bin alone would be a point: its line reaches to its right edge.
  const ends = bins.filter(({ series }) => bins.filter((bin) => bin.series === series).length === 1);
  const lines = [...bins, ...ends.map((bin) => ({ ...bin, edge: bin.end }))].map(
    ({ series, edge, density }) => ({ line: series, series, edge, height: density }),
  );
  const specification: TopLevelSpec = {
    ...frame(title, [
      runLine(report),
      `mean ${means}`,
      ...(others.length > 0
        ? [`thin: ${others.map(({ words, hue }) => `${words} (${hue})`).join(', ')}`]
        : []),
    ]),
    layer: [
      ...others.map(({ rows, colour }): Layer => ({
        data: { values: rows },
        mark: { type: 'line', strokeWidth: 1, opacity: 0.35, color: colour },
        encoding: { x, y, detail: { field: 'sequence', type: 'nominal' } },
      })),
      {
        data: { values: lines },
        mark: { type: 'line' },
        encoding: { x, y: { ...y, field: 'height' }, ...lineEncoding(sequenceSeries) },
      },
      {
        data: { values: bins },
        mark: pointMark,
        encoding: {
          x,
          y,
          ...pointEncoding(sequenceSeries, bins.length > 50 ? 0.4 : 1),
          tooltip: [
            { field: 'series', type: 'nominal', title: 'Sequence' },
            { field: 'bin', type: 'nominal', title: 'Log-softmax' },
            { field: 'height', type: 'nominal', title: 'Density' },
          ],
        },
      },
    ],
  };
  return { name: 'max-log-softmax', title, specification };
}

/** The densities of the sequences of bands, those that have lines of their own left out. */
function otherDensities(report: Report) {
  return shadedGroups(report).flatMap(({ band, colour, words, hue }) => {
    const rows = band.sequences.flatMap((sequence) => {
      const maxima = report.sequences[sequence]!.max_log_softmax;
      if (!maxima || sequence === 'real' || sequence === 'shuffled') return [];
      const { edges, density } = maxima.histogram;
      return density.map((height, bin) => ({
        sequence,
        edge: edges[bin]!,
        end: edges[bin + 1]!,
        density: height,
      }));
    });
    return rows.length === 0 ? [] : [{ rows, colour, words, hue }];
  });
}

/** From the first edge to the last; at least as wide as rounding needs. */
function edgeDomain(bins: readonly { readonly edge: number; readonly end: number }[]): [number, number] {
  const first = Math.min(...bins.map(({ edge }) => edge));
  const last = Math.max(...bins.map(({ end }) => end));
  const margin = Math.max(0, NARROWEST - (last - first)) / 2;
  return [first - margin, last + margin];
}
