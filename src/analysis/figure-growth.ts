import type { TopLevelSpec } from 'vega-lite';
import { visibleTexts } from './figure-svg.ts';
import { colours, frame, grey } from './figure-style.ts';
import type { Layer } from './figure-style.ts';
import type { Figure } from './figure.ts';
import type { Growth, PowerLaw } from './growth.ts';
import { few } from './quantities.ts';

/** Panels in a row. */
const COLUMNS = 3;

/**
 * Time against size, a panel an axis, both logarithmic: measured points, the power law fitted to the upper ones, and one
 * with the power that the operations have, through the last point.
 * @param subtitle lines under the title: adapter, versions, date
 */
export function growthFigure(growths: readonly Growth[], subtitle: readonly string[]): Figure {
  const title = 'How time grows with size';
  const { width, height, ...common } = frame(title, subtitle);
  const specification: TopLevelSpec = {
    ...common,
    concat: growths.map((growth) => ({
      width: Number(width) * 0.4,
      height: Number(height) * 0.5,
      title: {
        text: `${growth.axis}: ${few(growth.time.exponent, 3)} fitted, ${few(growth.theory.exponent, 3)} in theory`,
        subtitle: growth.job,
        fontSize: 13,
      },
      layer: panel(growth),
    })),
    columns: COLUMNS,
    bounds: 'flush',
    spacing: { row: 115, column: 90 },
  };
  return visibleTexts({ name: 'growth', title, specification });
}

function panel({ axis, points, fitted, time, theory }: Growth): Layer[] {
  const sizes = points.map(({ size }) => size);
  const x = {
    field: 'size',
    type: 'quantitative',
    title: axis,
    scale: { type: 'log', base: 2, nice: false, padding: 12 },
    axis: { values: sizes, grid: false, labelOverlap: true, format: 'd' },
  } as const;
  const y = {
    field: 'seconds',
    type: 'quantitative',
    title: fitted === 'seconds' ? 'seconds' : 'CPU seconds',
    scale: { type: 'log', nice: false, padding: 12 },
    axis: { tickCount: 4, format: '~g' },
  } as const;
  const last = points.at(-1)!;
  const lineOf = ({ exponent, from, to }: PowerLaw, factor: number) =>
    [from, to].map((size) => ({ size, seconds: factor * size ** exponent }));
  const line = (values: readonly object[], color: string, strokeDash: number[]): Layer => ({
    data: { values: [...values] },
    mark: { type: 'line', color, strokeDash, strokeWidth: 2 },
    encoding: { x, y },
  });
  return [
    // Through the last point: only the slope is theory.
    line(lineOf(theory, last[fitted] / last.size ** theory.exponent), grey, [5, 4]),
    line(lineOf(time, time.factor), colours.real, [1, 0]),
    {
      data: { values: points.map((point) => ({ size: point.size, seconds: point[fitted] })) },
      mark: { type: 'point', filled: true, color: colours.real, size: 45, opacity: 1 },
      encoding: { x, y },
    },
  ];
}
