import { formatPercent } from '../analysis/quantities.ts';
import { Pcg32 } from '../analysis/shuffle.ts';
import { create, createSvg, element } from './elements.ts';
import { Stopped } from './engine-client.ts';
import type { EngineClient } from './engine-client.ts';
import type { CloudSpectrum } from './messages.ts';

const POINTS = 80;
const THRESHOLD = 95;
/** Half the width of the drawn plane. */
const EXTENT = 1.8;

interface Panel {
  readonly dots: SVGGElement;
  readonly bars: SVGGElement;
  readonly words: HTMLElement;
  readonly drawing: SVGSVGElement;
}

/**
 * The concept: points on a line, and the same with a little noise. Both clouds are drawn at once; what the kernels say
 * of them follows when the engine's worker has answered.
 */
export class Explainer {
  readonly #slider = element('noise', HTMLInputElement);
  readonly #note = element('noise-note', HTMLElement);
  /** The text below the slider while nothing is wrong. */
  readonly #usualNote = this.#note.textContent;
  readonly #line: Panel;
  readonly #noisy: Panel;
  #isAsking = false;
  #isStale = false;

  constructor(private readonly engine: EngineClient) {
    const container = element('clouds', HTMLElement);
    this.#line = makePanel(container, 'Points on a line');
    this.#noisy = makePanel(container, 'The same with noise');
    drawPoints(this.#line, cloud(0));
    this.#slider.addEventListener('input', () => {
      this.#draw();
      void this.measure();
    });
    this.#draw();
  }

  /**
   * Asks for the spectra of the clouds as they are now; while an answer is awaited, the latest clouds wait.
   * @returns why they cannot be measured
   */
  async measure(): Promise<string | undefined> {
    this.#isStale = true;
    if (this.#isAsking) return undefined;
    this.#isAsking = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#ask();
      }
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      for (const { words, bars } of [this.#line, this.#noisy]) {
        bars.replaceChildren();
        words.textContent = 'not measured';
      }
      this.#note.textContent = message;
      return message;
    } finally {
      this.#isAsking = false;
    }
  }

  async #ask(): Promise<void> {
    const clouds = [cloud(0), cloud(this.#noise)];
    try {
      const [line, noisy] = await this.engine.ask({ kind: 'clouds', clouds, threshold: THRESHOLD });
      describe(this.#line, line!);
      describe(this.#noisy, noisy!);
      this.#note.textContent = this.#usualNote;
    } catch (error) {
      // The clouds waited for a run that was stopped, and the worker ended with it: ask the next worker.
      if (!(error instanceof Stopped)) throw error;
      this.#isStale = true;
    }
  }

  get #noise(): number {
    return this.#slider.valueAsNumber / 100;
  }

  #draw(): void {
    const noise = this.#noise.toFixed(2);
    element('noise-value', HTMLOutputElement).value = noise;
    this.#slider.setAttribute('aria-valuetext', noise);
    drawPoints(this.#noisy, cloud(this.#noise));
  }
}

/** Points on the diagonal, each moved across it by `noise` times a number that stays the same. @returns [POINTS, 2] */
function cloud(noise: number): Float32Array<ArrayBuffer> {
  const random = new Pcg32(28);
  const uniform = () => (random.next() + 0.5) / 2 ** 32;
  const points = new Float32Array(2 * POINTS);
  for (let index = 0; index < POINTS; index++) {
    const along = 2 * uniform() - 1;
    // Box and Muller, "A Note on the Generation of Random Normal Deviates" (1958).
    const across = noise * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    points[2 * index] = along - across / 2;
    points[2 * index + 1] = along + across / 2;
  }
  return points;
}

function makePanel(container: HTMLElement, title: string): Panel {
  const dots = createSvg('g', { class: 'dots' });
  const bars = createSvg('g', { class: 'bars' });
  const drawing = createSvg(
    'svg',
    { viewBox: '0 0 300 200', role: 'img', 'aria-label': title },
    createSvg('path', { class: 'axes', d: 'M10 100H190M100 10V190' }),
    dots,
    bars,
  );
  const words = create('p', { className: 'measures' }, 'measuring…');
  words.setAttribute('aria-live', 'polite');
  container.append(create('figure', {}, create('figcaption', {}, title), drawing, words));
  return { dots, bars, words, drawing };
}

function drawPoints({ dots }: Panel, points: Float32Array): void {
  const place = (value: number) => (100 + (90 * value) / EXTENT).toFixed(1);
  const circles = Array.from({ length: POINTS }, (_, index) =>
    createSvg('circle', { cx: place(points[2 * index]!), cy: place(-points[2 * index + 1]!), r: 2.5 }),
  );
  dots.replaceChildren(...circles);
}

/** A bar for each singular value, on one scale for both panels, and the measures in words. */
function describe({ bars, words, drawing }: Panel, measured: CloudSpectrum): void {
  const { singularValues, cumulativePercent, rank, effectiveDimension } = measured;
  const highest = 10;
  bars.replaceChildren(
    ...singularValues.flatMap((value, index) => {
      const height = Math.max(1, (150 * Math.min(value, highest)) / highest);
      const x = 212 + 48 * index;
      return [
        createSvg('rect', { x, y: 175 - height, width: 24, height, class: index === 0 ? 'first' : 'second' }),
        createSvg('text', { x: x + 12, y: 190 }, `σ${'₁₂'[index]}`),
        createSvg('text', { x: x + 12, y: 170 - height }, value.toFixed(2)),
      ];
    }),
  );
  const percent = formatPercent(cumulativePercent[0]!);
  const sentence = `rank ${rank} · effective dimension ${effectiveDimension} · the first direction holds ${percent}% of the variance`;
  // Text that has not changed need not be read out again.
  if (words.textContent !== sentence) words.textContent = sentence;
  drawing.setAttribute('aria-label', `${drawing.parentElement!.firstChild!.textContent!}: ${sentence}`);
}
