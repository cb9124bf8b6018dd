import type { TopLevelSpec } from 'vega-lite';
import { frame, lineEncoding, ofBoth, pointEncoding, runLine, sequenceSeries } from './figure-style.ts';
import { few } from './quantities.ts';
import type { Figure, PositionX, PositionY } from './figure-style.ts';
import { sequenceNames } from './report.ts';
import type { Report } from './report.ts';

/** The densities of the maximum log-softmax, real and shuffled, each drawn at its bins' left edges. */
export function maxLogSoftmaxFigure(report: Report): Figure {
  const title = 'Maximum token probabilities';
  const mean = ofBoth((name) => few(report.sequences[name].max_log_softmax.mean, 3));
  const values = sequenceNames.flatMap((series) => {
    const { edges, density } = report.sequences[series].max_log_softmax.histogram;
    return density.map((height, bin) => ({
      series,
      edge: edges[bin]!,
      density: height,
      bin: `${few(edges[bin]!)} to ${few(edges[bin + 1]!)}`,
      height: few(height),
    }));
  });
  const ends = sequenceNames.flatMap((name) => report.sequences[name].max_log_softmax.histogram.edges);
  const x: PositionX = {
    field: 'edge',
    type: 'quantitative',
    title: 'Maximum log-softmax (nats)',
    scale: { domain: [Math.min(...ends), Math.max(...ends)], nice: true },
    axis: { tickCount: 8 },
  };
  const y: PositionY = { field: 'density', type: 'quantitative', title: 'Density', scale: { zero: true } };
  const specification: TopLevelSpec = {
    ...frame(title, [runLine(report), `mean ${mean}`]),
    data: { values },
    layer: [
      { mark: { type: 'line' }, encoding: { x, y, ...lineEncoding(sequenceSeries) } },
      {
        mark: { type: 'point', filled: true, opacity: 1 },
        encoding: {
          x,
          y,
          ...pointEncoding(sequenceSeries, values.length > 50 ? 0.4 : 1),
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
