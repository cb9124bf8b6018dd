import { sequenceNames } from '../analysis/report.ts';
import type { Report, SequenceName } from '../analysis/report.ts';
import { create, createSvg } from './elements.ts';

/** The curve of one profile: a place per layer, undefined if it is not measured yet. */
export interface Curves {
  readonly layers: number;
  /** min(T, d), the top of the axis. */
  readonly components: number;
  readonly dimensions: Readonly<Record<SequenceName, readonly (number | undefined)[]>>;
}

/** Room around the plot, in pixels. */
const MARGIN = { top: 22, right: 2, bottom: 34, left: 34 };
/** Between the plot's edges and the first and last layer, so that their numbers stand clear. */
const INSET = 14;
/** With more layers than this, points have no numbers. */
const NUMBERED_LAYERS = 13;

/** The profile as a picture at the top of the page, drawn without the figures' packages: it is there at once. */
export class ProfilePicture {
  readonly #canvas: HTMLElement;
  readonly #caption: HTMLElement;
  #curves: Curves | undefined;
  /** The curves of the run before, while another one grows over them. */
  #before: Curves | undefined;

  /**
   * @param onLayer told of the layer that is pointed at, of a run that is shown whole, and where; undefined when none is
   */
  constructor(
    private readonly figure: HTMLElement,
    onLayer: (layer: number | undefined, place: { readonly x: number; readonly y: number }) => void,
  ) {
    this.#canvas = figure.querySelector<HTMLElement>('.canvas')!;
    this.#caption = figure.querySelector<HTMLElement>('figcaption')!;
    this.#canvas.setAttribute('role', 'img');
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    this.#canvas.addEventListener('pointermove', ({ clientX: x, clientY: y }) => {
      onLayer(this.#before ? undefined : this.#layerAt(x), { x, y });
    });
    this.#canvas.addEventListener('pointerleave', ({ clientX: x, clientY: y }) => {
      onLayer(undefined, { x, y });
    });
  }

  /** The layer nearest to a place in the window. */
  #layerAt(x: number): number | undefined {
    if (!this.#curves) return undefined;
    const { left, width } = this.#canvas.getBoundingClientRect();
    const first = MARGIN.left + INSET;
    const share = (x - left - first) / (width - MARGIN.right - INSET - first);
    return Math.round(Math.min(1, Math.max(0, share)) * this.#curves.layers);
  }

  /** @param words what is shown, as a sentence */
  show(curves: Curves, words: string): void {
    this.#before = undefined;
    this.#set(curves, words);
  }

  /** Shows the part of a running run that is there already, over the run that was shown before. */
  grow(curves: Curves, words: string): void {
    this.#before ??= this.#curves;
    this.#set(curves, words);
  }

  #set(curves: Curves, words: string): void {
    this.#curves = curves;
    this.figure.hidden = false;
    this.#caption.replaceChildren(key('real', '● real'), ' ', key('shuffled', '◇ shuffled'), ` · ${words}`);
    const { real, shuffled } = curves.dimensions;
    const listed = (values: readonly (number | undefined)[]) =>
      values.map((value) => value ?? '–').join(', ');
    this.#canvas.setAttribute('aria-label', `${words} Real: ${listed(real)}. Shuffled: ${listed(shuffled)}.`);
    this.#draw();
  }

  #draw(): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!this.#curves || width === 0) return;
    this.#canvas.replaceChildren(drawing(this.#curves, this.#before, width, height));
  }
}

/** The effective dimensions of a report. */
export function curvesOf({ model, sequences }: Report): Curves {
  const of = (name: SequenceName) => sequences[name].layers.map((layer) => layer.effective_dimension);
  return {
    layers: model.layers,
    components: sequences.real.layers[0]!.components,
    dimensions: { real: of('real'), shuffled: of('shuffled') },
  };
}

const key = (name: SequenceName, text: string) => create('span', { className: name }, text);

function drawing(
  { layers, components, dimensions }: Curves,
  before: Curves | undefined,
  width: number,
  height: number,
): SVGSVGElement {
  const plot = { right: width - MARGIN.right, bottom: height - MARGIN.bottom };
  const span = plot.right - MARGIN.left - 2 * INSET;
  const x = (layer: number) => MARGIN.left + INSET + (span * layer) / Math.max(1, layers);
  const y = (value: number) => plot.bottom - ((plot.bottom - MARGIN.top) * value) / components;
  const pointsOf = (values: readonly (number | undefined)[]) =>
    values.flatMap((value, layer) => (value === undefined ? [] : [{ layer, value }]));
  const points = (name: SequenceName) => pointsOf(dimensions[name]);
  const pathOf = (along: readonly { readonly layer: number; readonly value: number }[]) =>
    along
      .map(
        ({ layer, value }, index) =>
          `${index === 0 ? 'M' : 'L'}${x(layer).toFixed(1)} ${y(value).toFixed(1)}`,
      )
      .join('');
  const path = (name: SequenceName) => pathOf(points(name));
  // Whether another curve has as many layers and dimensions, so that both can be compared.
  const isAlike = before && before.layers === layers && before.components === components;
  const ghost = isAlike
    ? sequenceNames.map((name) =>
        createSvg('path', { class: `curve ghost ${name}`, d: pathOf(pointsOf(before.dimensions[name])) }),
      )
    : [];
  const text = (content: string | number, at: Readonly<Record<string, string | number>>) =>
    createSvg('text', at, String(content));

  const grid = ticks(components, height < 200 ? 2 : 4).flatMap((value) => [
    createSvg('path', { class: 'grid', d: `M${MARGIN.left} ${y(value)}H${plot.right}` }),
    text(value, { x: MARGIN.left - 6, y: y(value) + 4, class: 'end' }),
  ]);
  const stride = Math.ceil((layers + 1) / (width / 40));
  const places = Array.from({ length: layers + 1 }, (_, layer) => layer).filter(
    (layer) => layer % stride === 0,
  );
  const real = points('real');
  const area =
    real.length > 1
      ? [
          createSvg('path', {
            class: 'area',
            d: `${path('real')}L${x(real.at(-1)!.layer)} ${y(0)}L${x(real[0]!.layer)} ${y(0)}Z`,
          }),
        ]
      : [];
  return createSvg(
    'svg',
    { width, height, viewBox: `0 0 ${width} ${height}` },
    ...grid,
    createSvg('path', { class: 'limit', d: `M${MARGIN.left} ${y(components)}H${plot.right}` }),
    text(`all ${components} dimensions`, { x: plot.right, y: y(components) - 7, class: 'end' }),
    ...places.map((layer) => text(layer, { x: x(layer), y: plot.bottom + 16, class: 'middle' })),
    text('layer', { x: plot.right, y: plot.bottom + 30, class: 'end' }),
    ...ghost,
    ...area,
    ...sequenceNames.map((name) => createSvg('path', { class: `curve ${name}`, d: path(name) })).reverse(),
    ...points('shuffled').map(({ layer, value }) =>
      createSvg('path', {
        class: 'point shuffled',
        d: `M${x(layer)} ${y(value) - 6}l6 6l-6 6l-6-6Z`,
      }),
    ),
    ...real.map(({ layer, value }) =>
      createSvg('circle', { class: 'point real', cx: x(layer), cy: y(value), r: 3.5 }),
    ),
    ...(layers < NUMBERED_LAYERS
      ? real.map(({ layer, value }) => text(value, { x: x(layer), y: y(value) - 11, class: 'number middle' }))
      : []),
  );
}

/** Round numbers from 0 in about this many intervals, none above the top. */
function ticks(top: number, intervals: number): number[] {
  const rough = top / intervals;
  const power = 2 ** Math.floor(Math.log2(rough));
  const step = Math.max(1, rough / power >= 1.5 ? 2 * power : power);
  return Array.from({ length: Math.floor(top / step) + 1 }, (_, index) => index * step);
}
