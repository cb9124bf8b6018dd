import type { TopLevelSpec } from 'vega-lite';
import {
  frame,
  lineEncoding,
  notice,
  ofBoth,
  pointEncoding,
  pointMark,
  runLine,
  sequenceSeries,
} from './figure-style.ts';
import type { Figure, PositionX, PositionY } from './figure-style.ts';
import { few, fixed } from './quantities.ts';
import { sequenceNames } from './report.ts';
import type { Report, SequenceName, SequenceReport } from './report.ts';

/** A histogram narrower than this, in nats, holds rounding alone: the axis spans at least so much. */
const NARROWEST = 0.1;

/** The densities of the maximum log-softmax, real and shuffled, each drawn at its bins' left edges. */
export function maxLogSoftmaxFigure(report: Report): Figure {
  const title = 'Log-probability of the most likely next token';
  // null where a model has no head.
  const measured = (name: SequenceName) =>
    report.sequences[name].max_log_softmax as SequenceReport['max_log_softmax'] | null;
  const means = ofBoth((name) => {
    const mean = measured(name)?.mean;
    return mean === undefined ? '–' : fixed(mean, 2);
  });
  const bins = sequenceNames.flatMap((series) => {
    const { edges, density } = measured(series)?.histogram ?? { edges: [], density: [] };
    return density.map((height, bin) => ({
      series,
      edge: edges[bin]!,
      end: edges[bin + 1]!,
      density: height,
      bin: `${few(edges[bin]!)} to ${few(edges[bin + 1]!)}`,
      height: few(height),
    }));
  });
  const isEmpty = bins.length === 0;
  const x: PositionX = {
    field: 'edge',
    type: 'quantitative',
    title: 'Maximum log-softmax (nats)',
    scale: { domain: isEmpty ? [-1, 0] : edgeDomain(bins), nice: true },
    axis: { tickCount: 8 },
  };
  const y: PositionY = {
    field: 'density',
    type: 'quantitative',
    title: 'Density',
    scale: isEmpty ? { domain: [0, 1] } : { zero: true },
    axis: bins.some(({ density }) => density >= 1e5) ? { format: '.1e' } : {},
  };
  // One bin alone would be a point: its line reaches to its right edge.
  const ends = bins.filter(({ series }) => bins.filter((bin) => bin.series === series).length === 1);
  const lines = [...bins, ...ends.map((bin) => ({ ...bin, edge: bin.end }))].map(
    ({ series, edge, density }) => ({ line: series, series, edge, height: density }),
  );
  const specification: TopLevelSpec = {
    ...frame(title, [runLine(report), isEmpty ? 'this model has no head' : `mean ${means}`]),
    layer: [
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
      ...(isEmpty ? [notice('no head, so no next token')] : []),
    ],
  };
  return { name: 'max-log-softmax', title, specification };
}

/** From the first edge to the last, and no narrower than rounding deserves. */
function edgeDomain(bins: readonly { readonly edge: number; readonly end: number }[]): [number, number] {
  const first = Math.min(...bins.map(({ edge }) => edge));
  const last = Math.max(...bins.map(({ end }) => end));
  const margin = Math.max(0, NARROWEST - (last - first)) / 2;
  return [first - margin, last + margin];
}
