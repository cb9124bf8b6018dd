import { create } from './elements.ts';

/** Between the pointer and the note next to it, in pixels. */
const GAP = 14;

/** The one note of the page. It is shown next to the pointer, or below what has the focus. */
class Floating {
  /** For aria-describedby. */
  readonly id = 'floating';
  readonly #element = create('div', {
    id: this.id,
    className: 'tooltip floating',
    role: 'tooltip',
    hidden: true,
  });

  constructor() {
    addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.hide();
    });
  }

  show(content: Node, { x, y }: { readonly x: number; readonly y: number }): void {
    if (!this.#element.isConnected) document.body.append(this.#element);
    this.#element.replaceChildren(content);
    this.#element.hidden = false;
    const { offsetWidth: width, offsetHeight: height, style } = this.#element;
    const { clientWidth: right, clientHeight: bottom } = document.documentElement;
    style.left = `${Math.max(4, x + GAP + width > right ? Math.min(x - GAP, right) - width : x + GAP)}px`;
    style.top = `${Math.max(4, y + GAP + height > bottom ? y - GAP - height : y + GAP)}px`;
  }

  hide(): void {
    this.#element.hidden = true;
  }
}

export const floating = new Floating();
