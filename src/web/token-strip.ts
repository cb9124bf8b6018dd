import { fixed } from '../analysis/quantities.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { LayerReport, SequenceName } from '../analysis/report.ts';
import { create } from './elements.ts';
import { floating } from './floating.ts';

/** One sequence to show: what is known of it so far. */
export interface StripSequence {
  readonly ids: ArrayLike<number>;
  /** undefined if there is no tokenizer: then the ids are shown. */
  readonly texts: readonly string[] | undefined;
  /** max(logits) − logsumexp(logits) of each position; undefined before it is known, or if there are no logits. */
  readonly maxLogSoftmax: ArrayLike<number> | undefined;
  /** undefined before they are measured. */
  readonly layers: readonly LayerReport[] | undefined;
}

/** A token as a person can see it: line breaks and what is part of a character have signs of their own. */
export function shownToken(text: string): string {
  return text === '' ? '·' : text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');
}

/**
 * The window's tokens, real above shuffled, each coloured by how sure the model is of what comes next. A chosen layer
 * marks the tokens that carry its first component.
 */
export class TokenStrip {
  readonly #strips: Readonly<Record<SequenceName, HTMLElement>>;
  #sequences: Readonly<Record<SequenceName, StripSequence>> | undefined;

  constructor(private readonly container: HTMLElement) {
    const strip = (name: SequenceName) => {
      const words = create('p', { className: 'tokens' });
      words.setAttribute('aria-label', `Tokens of the ${name} sequence`);
      words.tabIndex = 0;
      words.setAttribute('role', 'region');
      container.append(create('h4', { className: name }), words);
      words.addEventListener('pointerover', ({ target, clientX, clientY }) => {
        const token = target instanceof HTMLElement ? target.dataset['token'] : undefined;
        if (token === undefined) floating.hide();
        else floating.show(this.#describe(name, Number(token)), { x: clientX, y: clientY });
      });
      words.addEventListener('pointerleave', () => floating.hide());
      return words;
    };
    this.#strips = { real: strip('real'), shuffled: strip('shuffled') };
  }

  show(sequences: Readonly<Record<SequenceName, StripSequence>>): void {
    this.#sequences = sequences;
    this.container.hidden = false;
    for (const name of sequenceNames) {
      const { ids, texts } = sequences[name];
      const spans = Array.from(ids, (id, token) => {
        const span = create('span', {}, texts ? shownToken(texts[token]!) : `${id} `);
        span.dataset['token'] = String(token);
        return span;
      });
      this.#strips[name].replaceChildren(...spans);
      this.#colour(name);
      const different = new Set(Array.from(ids)).size;
      this.#strips[name].previousElementSibling!.textContent =
        `${name}: ${ids.length} tokens, ${different} different`;
    }
  }

  /** Colours a sequence that is shown, as soon as the model has read it. */
  know(name: SequenceName, maxLogSoftmax: ArrayLike<number>): void {
    if (!this.#sequences) return;
    this.#sequences = { ...this.#sequences, [name]: { ...this.#sequences[name], maxLogSoftmax } };
    this.#colour(name);
  }

  /** Marks the tokens that carry a layer's first component. */
  mark(layer: number): void {
    for (const name of sequenceNames) {
      const carriers = this.#sequences?.[name].layers?.[layer]?.component_1?.tokens ?? [];
      const marked = new Set(carriers.map(({ token }) => token));
      for (const [token, span] of [...this.#strips[name].children].entries())
        span.classList.toggle('carrier', marked.has(token));
    }
  }

  #colour(name: SequenceName): void {
    const values = this.#sequences![name].maxLogSoftmax;
    for (const [token, span] of [...this.#strips[name].children].entries())
      (span as HTMLElement).style.setProperty('--sure', values ? Math.exp(values[token]!).toFixed(3) : '0');
  }

  #describe(name: SequenceName, token: number): HTMLElement {
    const { ids, texts, maxLogSoftmax, layers = [] } = this.#sequences![name];
    const value = maxLogSoftmax?.[token];
    const numbers = (of: (layer: LayerReport) => boolean) =>
      layers
        .filter(of)
        .map(({ layer }) => layer)
        .join(', ');
    const largest = numbers(({ tokens }) => tokens?.max_token === token);
    const carries = numbers(
      ({ component_1: first }) => first?.tokens.some((each) => each.token === token) === true,
    );
    const rows: (readonly [string, string])[] = [
      [`token ${token}`, `${texts ? `“${shownToken(texts[token]!)}” · ` : ''}id ${ids[token]}`],
      ...(value === undefined
        ? []
        : [
            ['likeliest next', `probability ${fixed(Math.exp(value), 3)}`] as const,
            ['log-softmax', fixed(value, 3)] as const,
          ]),
      ...(carries ? [['carries component 1', `in layer ${carries}`] as const] : []),
      ...(largest ? [['largest norm', `in layer ${largest}`] as const] : []),
    ];
    return create(
      'dl',
      {},
      ...rows.flatMap(([title, text]) => [create('dt', {}, title), create('dd', {}, text)]),
    );
  }
}
