import type { Config, TopLevelSpec } from 'vega-lite';
import { figureFont } from './figure.ts';
import { grouped } from './quantities.ts';
import { sequenceNames } from './report.ts';
import type { Report, SequenceName } from './report.ts';

/** Blue and vermilion, sky blue and orange of Okabe and Ito, "Color Universal Design" (2002). */
export const colours = {
  real: '#0072b2',
  shuffled: '#d55e00',
  realShare: '#56b4e9',
  shuffledShare: '#e69f00',
};
export const grey = '#6b6b6b';
export const gridGrey = '#e4e4e4';

/** One layer of a specification, and its encodings, in Vega-Lite's own types. */
type Layered = Extract<TopLevelSpec, { layer: unknown }>;
export type Layer = Layered['layer'][number];
export type Encoding = NonNullable<Extract<Layer, { mark: unknown }>['encoding']>;
export type PositionX = NonNullable<Encoding['x']>;
export type PositionY = NonNullable<Encoding['y']>;

/** A line in a legend: its name, colour and dashes, and the shape of its points. */
export interface Series {
  readonly label: string;
  readonly colour: string;
  /** Lengths of dashes and gaps; [1, 0] is solid. */
  readonly dash: readonly number[];
  readonly shape: string;
  /** Area of its points. */
  readonly size: number;
  /** Shuffled points are open and larger, so that both show where a real one lies on the same place. */
  readonly isOpen: boolean;
}

export const sequenceSeries: readonly Series[] = [
  { label: 'real', colour: colours.real, dash: [1, 0], shape: 'circle', size: 45, isOpen: false },
  {
    label: 'shuffled',
    colour: colours.shuffled,
    dash: [7, 4],
    shape: 'diamond',
    size: 130,
    isOpen: true,
  },
];

/** The encodings that tell series apart by colour and dash, on a line; together they are one legend below. */
export function lineEncoding(series: readonly Series[]): Encoding {
  const domain = series.map(({ label }) => label);
  const legend = {
    title: null,
    orient: 'bottom',
    direction: 'horizontal',
    symbolType: 'stroke',
    symbolSize: 700,
    symbolStrokeWidth: 2.5,
    columns: series.length > 2 ? 2 : series.length,
  } as const;
  return {
    color: { ...seriesField, scale: { domain, range: series.map(({ colour }) => colour) }, legend },
    strokeDash: { ...seriesField, scale: { domain, range: series.map(({ dash }) => [...dash]) }, legend },
  };
}

/** How points are drawn; `pointEncoding` gives them their colours. */
/** How an axis writes its numbers: as powers of ten where they would be many zeros. @param highest of its range */
export function tickFormat(highest: number): { readonly format?: string } {
  return highest < 1e-3 ? { format: '.1e' } : {};
}

export const pointMark = { type: 'point', filled: false, opacity: 1, strokeWidth: 1.5 } as const;

/** The encodings that tell series apart by colour, shape and size, on points; the lines' legend stands for them. */
export function pointEncoding(series: readonly Series[], scale = 1): Encoding {
  const bySeries = <Value>(value: (of: Series) => Value) =>
    series.map((of) => ({ test: is(of.label), value: value(of) }));
  return {
    stroke: { condition: bySeries(({ colour }) => colour), value: grey },
    fill: { condition: bySeries(({ colour, isOpen }) => (isOpen ? 'transparent' : colour)), value: grey },
    shape: { condition: bySeries(({ shape }) => shape), value: 'circle' },
    size: { condition: bySeries(({ size }) => size * scale), value: 0 },
  };
}

const is = (label: string) => ({ field: 'series', equal: label });

const seriesField = { field: 'series', type: 'nominal', sort: null } as const;

const config: Config = {
  font: `${figureFont}, sans-serif`,
  axis: {
    labelFontSize: 12,
    titleFontSize: 13,
    titleFontWeight: 'normal',
    titlePadding: 10,
    labelFlush: false,
    gridColor: gridGrey,
    domainColor: grey,
    tickColor: grey,
  },
  legend: { labelFontSize: 13, labelLimit: 0, rowPadding: 4, columnPadding: 24 },
  title: {
    fontSize: 17,
    subtitleFontSize: 12,
    subtitleColor: grey,
    subtitlePadding: 6,
    anchor: 'start',
    frame: 'group',
    offset: 14,
    limit: 0,
  },
  view: { stroke: null },
  line: { strokeWidth: 2 },
  text: { fontSize: 12 },
};

/** What every specification has besides its layers: size, colours, fonts, title and subtitle. */
export function frame(title: string, subtitle: readonly string[]): Omit<Layered, 'layer'> {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: [...subtitle] },
    description: [title, ...subtitle].join('. '),
    width: 640,
    height: 400,
    padding: 16,
    background: 'white',
    config,
  };
}

/** What a report says of its run in a subtitle. */
interface DescribedRun {
  readonly model: Pick<Report['model'], 'id'>;
  readonly text: Pick<NonNullable<Report['text']>, 'start'> | null;
  readonly sequences: { readonly real: { readonly ids: readonly number[] } };
}

/** The model and the window, for a subtitle. */
export function runLine(report: DescribedRun): string {
  const tokens = report.sequences.real.ids.length;
  const window = report.text === null ? '' : ` from token ${grouped(report.text.start)}`;
  return `${shortened(report.model.id)} · ${grouped(tokens)} ${tokens === 1 ? 'token' : 'tokens'}${window}`;
}

/** "41 (real), 42 (shuffled)": one number of each sequence, for a subtitle. */
export function ofBoth(number: (name: SequenceName) => string): string {
  return sequenceNames.map((name) => `${number(name)} (${name})`).join(', ');
}

/** The end of a long folder path is what tells models apart. */
function shortened(id: string): string {
  return id.length <= 64 ? id : `…${id.slice(-63)}`;
}

/** A line of text in the middle of a plot that has nothing else to show. */
export function notice(text: string): Layer {
  return {
    data: { values: [{}] },
    mark: { type: 'text', text, color: grey, fontSize: 14 },
    encoding: { x: { value: { expr: 'width / 2' } }, y: { value: { expr: 'height / 2' } } },
  };
}

/** The same in one plot of several, which does not know its width by that name. @param row a place, by fields of x and y */
export function noticeAt(
  text: string,
  { x, y }: { readonly x: PositionX; readonly y: PositionY },
  row: Readonly<Record<string, number>>,
): Layer {
  return {
    data: { values: [{ ...row }] },
    mark: { type: 'text', text, color: grey, fontSize: 14 },
    encoding: { x, y },
  };
}

/**
 * An invisible rule over every place of the x axis; the one nearest to the pointer appears and shows its row's text.
 * @param field of the x axis
 * @param lines title of each line of the tooltip, and the field with its text
 * @param name of what is selected; a figure of several plots has one for each
 */
export function hoverRule(
  values: readonly Record<string, unknown>[],
  field: string,
  lines: readonly (readonly [title: string, field: string])[],
  name = 'hovered',
): Layer {
  return {
    data: { values: [...values] },
    params: [
      {
        name,
        select: { type: 'point', fields: [field], nearest: true, on: 'pointerover', clear: 'pointerout' },
      },
    ],
    mark: { type: 'rule', color: grey, strokeWidth: 1 },
    encoding: {
      x: { field, type: 'quantitative' },
      opacity: { condition: { param: name, value: 0.6, empty: false }, value: 0 },
      tooltip: lines.map(([title, text]) => ({ field: text, type: 'nominal', title })),
    },
  };
}
