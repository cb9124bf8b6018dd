import type { Figure } from '../analysis/figures.ts';
import { create } from './elements.ts';
import { pagePart } from './page-part.ts';
import { themed } from './figure-theme.ts';

export interface FigureViewOptions {
  /** Called with the layer that was clicked. */
  readonly onLayer: (layer: number) => void;
  /** More lines about the layer that is pointed at. */
  readonly layerNote?: (layer: number) => Node;
  /** Told what kept the figure from being drawn. */
  readonly onError: (error: unknown) => void;
  /** The buttons of the figure's downloads. */
  readonly buttons: readonly HTMLButtonElement[];
}

const darkScheme = matchMedia('(prefers-color-scheme: dark)');

/** One figure on the page: title and subtitle as text, the drawing, and a tooltip that follows the pointer. */
export class FigureView {
  readonly #title = create('h3');
  readonly #subtitle = create('p', { className: 'subtitle' });
  readonly #drawing = create('div', { className: 'drawing' });
  readonly #tooltip = create('div', { className: 'tooltip', hidden: true });
  readonly #buttons = create('div', { className: 'buttons' });
  readonly element = create(
    'figure',
    {},
    this.#title,
    this.#subtitle,
    this.#drawing,
    this.#buttons,
    this.#tooltip,
  );
  readonly #resizes: ResizeObserver;
  readonly #sight: IntersectionObserver;
  readonly #redraw = (): void => {
    this.#draw().catch(this.options.onError);
  };
  #figure: Figure | undefined;
  #clear: () => void = () => undefined;
  #drawnWidth = 0;
  #isNear = false;
  /** Whether something else is drawn than what is to be shown. */
  #isStale = true;
  /** Counts drawings, so that an outdated one does not appear. */
  #drawings = 0;

  constructor(private readonly options: FigureViewOptions) {
    this.#buttons.append(...options.buttons);
    this.#drawing.setAttribute('role', 'img');
    this.#resizes = new ResizeObserver(() => {
      if (Math.abs(this.#drawing.clientWidth - this.#drawnWidth) > 1) this.#redraw();
    });
    this.#resizes.observe(this.#drawing);
    this.#sight = new IntersectionObserver(
      (entries) => {
        this.#isNear = entries.at(-1)!.isIntersecting;
        if (this.#isNear && this.#isStale) this.#redraw();
      },
      { rootMargin: '300px' },
    );
    this.#sight.observe(this.#drawing);
    darkScheme.addEventListener('change', this.#redraw);
  }

  /** What is shown; undefined before the first. */
  get figure(): Figure | undefined {
    return this.#figure;
  }

  /** Shows a figure in place of the last one; it is drawn as soon as it is near the window. */
  show(figure: Figure): void {
    // Most figures are of all layers: choosing one must not draw them again under the pointer.
    if (JSON.stringify(figure) === JSON.stringify(this.#figure)) return;
    this.#figure = figure;
    const { description, title } = figure.specification;
    const subtitle = typeof title === 'object' && title !== null && 'subtitle' in title ? title.subtitle : '';
    this.#title.textContent = figure.title;
    // Each figure has the same buttons; read out by themselves, they must say whose they are.
    for (const button of this.#buttons.querySelectorAll('button'))
      button.ariaLabel = `${button.textContent}: ${figure.title}`;
    this.#subtitle.textContent = [subtitle].flat().join(' · ');
    this.#drawing.setAttribute('aria-label', description ?? figure.title);
    this.#redraw();
  }

  dispose(): void {
    this.#resizes.disconnect();
    this.#sight.disconnect();
    darkScheme.removeEventListener('change', this.#redraw);
    this.#drawings++;
    this.#clear();
    this.element.remove();
  }

  async #draw(): Promise<void> {
    const width = this.#drawing.clientWidth;
    this.#isStale = true;
    if (!this.#figure || !this.#isNear || width === 0) return;
    this.#isStale = false;
    this.#drawnWidth = width;
    const drawing = ++this.#drawings;
    const specification = themed(this.#figure, { width, isDark: darkScheme.matches });
    const { drawFigure } = await pagePart(import('./figure-drawing.ts'));
    if (drawing !== this.#drawings) return;
    this.#clear();
    this.#clear = () => undefined;
    const clear = await drawFigure(specification, {
      container: this.#drawing,
      onClick: ({ layer }) => {
        if (typeof layer === 'number') this.options.onLayer(layer);
      },
      onHover: (lines, event) => {
        this.#hover(lines, event);
      },
    });
    if (drawing === this.#drawings) this.#clear = clear;
    else clear();
  }

  #hover(lines: Readonly<Record<string, string>> | undefined, event: MouseEvent): void {
    this.#tooltip.hidden = lines === undefined;
    if (!lines) return;
    const rows = Object.entries(lines).flatMap(([name, text]) => [
      create('dt', {}, name),
      create('dd', {}, text),
    ]);
    const layer = lines['Layer'];
    const note = layer === undefined ? undefined : this.options.layerNote?.(Number(layer));
    this.#tooltip.replaceChildren(create('dl', {}, ...rows), ...(note ? [note] : []));
    // Next to the pointer, on the side that has more room.
    const frame = this.element.getBoundingClientRect();
    const isRight = event.clientX - frame.left > frame.width / 2;
    const { style } = this.#tooltip;
    style.top = `${event.clientY - frame.top + 12}px`;
    style.left = isRight ? 'auto' : `${event.clientX - frame.left + 12}px`;
    style.right = isRight ? `${frame.right - event.clientX + 12}px` : 'auto';
  }
}
