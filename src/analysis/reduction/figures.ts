import type { TopLevelSpec } from 'vega-lite';
import { frame, grey, noticeAt, runLine, tickFormat } from '../figure-style.ts';
import type { Encoding, Layer, PositionX, PositionY } from '../figure-style.ts';
import type { Figure } from '../figure.ts';
import type { CutLayer } from './cut-layers.ts';
import type { ReductionReport } from './report.ts';

/** Panels in a row. */
const PANELS = 3;

/** The names of all figures that a report may have. */
export const reductionFigureNames = ['loss', 'kl', 'state-changes'].flatMap((name) => [
  name,
  `${name}-shuffled`,
]);

/** The figures of a report: of each sequence the loss, the divergence and the changes of later states. */
export function reductionFigures(report: ReductionReport): Figure[] {
  const names = (['real', 'shuffled'] as const).filter((name) => report.sequences[name]);
  return names.flatMap((name) => {
    const ending = name === 'real' ? '' : `-${name}`;
    const hasLogits = report.sequences[name]!.cuts.some(({ logits }) => logits);
    return [
      ...(report.sequences[name]!.loss ? [lossFigure(report, name, ending)] : []),
      ...(hasLogits ? [divergenceFigure(report, name, ending)] : []),
      stateChangesFigure(report, name, ending),
    ];
  });
}

type Name = 'real' | 'shuffled';

/** The mean loss against the number of components, a line for each layer that is cut. */
function lossFigure(report: ReductionReport, name: Name, ending: string): Figure {
  const { cuts, loss } = report.sequences[name]!;
  const rows = cuts.flatMap((cut) => (cut.loss ? [rowOf(cut, cut.loss.mean)] : []));
  const title = 'Loss with a state cut to its first components';
  const values = [...rows.map(({ value }) => value), loss!.mean];
  const y = {
    field: 'value',
    type: 'quantitative',
    title: 'Mean loss (nats per token)',
    scale: { domain: framed(values), nice: false },
  } as const;
  const without: Layer[] = [
    {
      data: { values: [{ value: loss!.mean, label: 'without\na cut' }] },
      mark: { type: 'rule', color: grey, strokeDash: [2, 3] },
      encoding: { y },
    },
    {
      data: { values: [{ value: loss!.mean, label: 'without\na cut' }] },
      mark: { type: 'text', align: 'left', baseline: 'middle', dx: 6, color: grey, lineBreak: '\n' },
      encoding: { x: { value: { expr: 'width' } }, y, text: { field: 'label' } },
    },
  ];
  return {
    name: `loss${ending}`,
    title,
    specification: againstComponents(report, name, title, rows, y, without),
  };
}

/** The mean divergence against the number of components, a line for each layer that is cut. */
function divergenceFigure(report: ReductionReport, name: Name, ending: string): Figure {
  const { cuts } = report.sequences[name]!;
  const rows = cuts.flatMap((cut) => (cut.logits ? [rowOf(cut, cut.logits.kl.mean)] : []));
  const title = 'Divergence from the output without a cut';
  const top = topOf(rows.map(({ value }) => value));
  const y = {
    field: 'value',
    type: 'quantitative',
    title: 'Mean Kullback–Leibler divergence (nats)',
    scale: { domain: [0, top] as [number, number], nice: false },
    axis: tickFormat(top),
  } as const;
  return { name: `kl${ending}`, title, specification: againstComponents(report, name, title, rows, y, []) };
}

interface Row {
  readonly layer: string;
  readonly components: number;
  readonly asked: string;
  readonly value: number;
}

function rowOf(
  { layer, components, asked }: ReductionReport['sequences']['real']['cuts'][number],
  value: number,
): Row {
  return { layer: labelOf(layer), components: Math.max(1, components), asked: String(asked), value };
}

function againstComponents(
  report: ReductionReport,
  name: Name,
  title: string,
  rows: readonly Row[],
  y: PositionY & { readonly title: string },
  extra: readonly Layer[],
): TopLevelSpec {
  const most = Math.max(2, ...rows.map(({ components }) => components));
  const x: PositionX = {
    field: 'components',
    type: 'quantitative',
    title: 'Components kept',
    scale: { type: 'log', base: 2, domain: [1, most], nice: false, padding: 12 },
    axis: { values: componentTicks(most), grid: false, format: 'd' },
  };
  const data = { values: [...rows] };
  const encoding: Encoding = { x, y, ...colourOf(rows.map(({ layer }) => layer)) };
  const tooltip = [
    { field: 'layer', type: 'nominal', title: 'Layer' },
    { field: 'asked', type: 'nominal', title: 'Asked for' },
    { field: 'components', type: 'quantitative', title: 'Components' },
    { field: 'value', type: 'quantitative', title: y.title, format: '.4~g' },
  ] as const;
  return {
    ...frame(title, [runLine(report), `${name} text; the means stay: μ + (X − μ) V Vᵀ`]),
    layer: [
      ...extra,
      { data, mark: { type: 'line', strokeWidth: 2 }, encoding },
      {
        data,
        mark: { type: 'point', filled: true, size: 45, opacity: 1 },
        encoding: { ...encoding, tooltip: [...tooltip] },
      },
    ],
  };
}

/** How far later states are from what they were, a panel for each number of components. */
function stateChangesFigure(report: ReductionReport, name: Name, ending: string): Figure {
  const title = 'How far a cut carries';
  const { layers } = report.model;
  const { cuts } = report.sequences[name]!;
  const rows = cuts.flatMap(({ layer, asked, states }) =>
    states.flatMap(({ layer: state, relative_change: change }) =>
      // Before the norm and after it are one place on the axis; the last state itself shows where it is cut.
      change === null || (state === layers && layer !== layers)
        ? []
        : [
            {
              layer: labelOf(layer),
              asked: String(asked),
              state: state === 'residual_final' ? layers : state,
              change,
            },
          ],
    ),
  );
  const panels = [...new Set(rows.map(({ asked }) => asked))];
  const labels = rows.map(({ layer }) => layer);
  const top = topOf(rows.map(({ change }) => change));
  const x: PositionX = {
    field: 'state',
    type: 'quantitative',
    title: 'State',
    scale: { domain: [0, Math.max(1, layers)], nice: false, padding: 8 },
    axis: { format: 'd', tickMinStep: 1, grid: false, tickCount: 6 },
  };
  const y: PositionY = {
    field: 'change',
    type: 'quantitative',
    title: 'Relative change',
    scale: { domain: [0, top], nice: false },
    axis: { tickCount: 5, ...tickFormat(top) },
  };
  const { width, height, ...common } = frame(title, [
    runLine(report),
    `${name} text; ‖changed − original‖ / ‖original‖ of the cut state and of each later one; ${layers} is before the final norm`,
  ]);
  const isOne = panels.length === 1;
  const encoding: Encoding = { x, y, ...colourOf(labels) };
  const specification: TopLevelSpec = {
    ...common,
    columns: Math.min(PANELS, Math.max(1, panels.length)),
    spacing: { row: 40, column: 40 },
    concat: (panels.length === 0 ? [''] : panels).map((asked) => {
      const data = { values: rows.filter((row) => row.asked === asked) };
      return {
        width: isOne ? Number(width) : 260,
        height: isOne ? Number(height) : 220,
        title: { text: panelTitle(asked), fontSize: 13, offset: 8 },
        layer: [
          { data, mark: { type: 'line' as const, strokeWidth: 1.75 }, encoding },
          { data, mark: { type: 'point' as const, filled: true, size: 22, opacity: 1 }, encoding },
          ...(data.values.length === 0
            ? [noticeAt('nothing to show', { x, y }, { state: layers / 2, change: 0 })]
            : []),
        ],
      };
    }),
  };
  return { name: `state-changes${ending}`, title, specification };
}

function panelTitle(asked: string): string {
  if (asked === '') return '';
  if (asked.endsWith('%')) return `${asked} of the variance`;
  return asked === '1' ? '1 component' : `${asked} components`;
}

function labelOf(layer: CutLayer): string {
  return layer === 'residual_final' ? 'final residual' : String(layer);
}

/** Colours from dark to light in the order of the layers; a legend below. */
function colourOf(labels: readonly string[]): Encoding {
  const domain = [...new Set(labels)];
  return {
    color: {
      field: 'layer',
      type: 'nominal',
      sort: null,
      scale: { domain, scheme: { name: 'viridis', extent: [0, 0.9] } },
      legend: {
        title: 'Cut at layer',
        orient: 'bottom',
        direction: 'horizontal',
        symbolType: 'stroke',
        symbolSize: 400,
        symbolStrokeWidth: 2.5,
        columns: 8,
      },
    },
  };
}

/** Their range, with a little room. */
function framed(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = Math.max(1e-6, (high - low) * 0.06);
  return [low - margin, high + margin];
}

/** The end of an axis from zero: over rounding, and over nothing at all. */
function topOf(values: readonly number[]): number {
  const highest = Math.max(0, ...values);
  return highest === 0 ? 1 : Math.max(1e-9, highest) * 1.05;
}

/** Powers of two, and the end of the axis where it stands apart from the last of them. */
function componentTicks(most: number): number[] {
  const powers = Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, power) => 2 ** power);
  return most > 1.3 * powers.at(-1)! ? [...powers, most] : powers;
}
