import { formatBytes } from '../analysis/quantities.ts';
import { create } from './elements.ts';
import { stages } from './messages.ts';
import type { Stage } from './messages.ts';

interface Bar {
  readonly row: HTMLElement;
  readonly progress: HTMLProgressElement;
  readonly amount: HTMLOutputElement;
  /** When the stage began, in milliseconds, and what was there already. */
  started?: number;
  first?: number;
}

/** A bar for each stage of a run. */
export class ProgressBars {
  readonly #bars = new Map<Stage, Bar>();

  constructor(private readonly container: HTMLElement) {
    for (const stage of stages) {
      const id = `progress-${stage}`;
      const progress = create('progress', { id, max: 1, value: 0 });
      // If every step were read out, nothing else could be heard.
      const amount = create('output', { ariaLive: 'off' });
      const row = create(
        'div',
        { className: 'stage' },
        create('label', { htmlFor: id }, stage),
        progress,
        amount,
      );
      container.append(row);
      this.#bars.set(stage, { row, progress, amount });
    }
  }

  /** Shows the bars of some stages, empty. */
  begin(shown: readonly Stage[]): void {
    for (const [stage, bar] of this.#bars) {
      bar.row.hidden = !shown.includes(stage);
      bar.progress.value = 0;
      bar.amount.value = '';
      delete bar.started;
      delete bar.first;
    }
    this.container.hidden = false;
  }

  hide(): void {
    this.container.hidden = true;
  }

  update(stage: Stage, done: number, total: number): void {
    const bar = this.#bars.get(stage)!;
    const now = performance.now();
    bar.started ??= now;
    bar.first ??= done;
    // A stage with nothing to do is done.
    bar.progress.value = total === 0 ? 1 : done / total;
    bar.amount.value =
      stage === 'download' || stage === 'load'
        ? `${formatBytes(done)} of ${formatBytes(total)}${rate(done - bar.first, total - done, now - bar.started)}`
        : `${done} of ${total}`;
  }
}

/** Bytes per second, and the time that is left at that rate. */
function rate(done: number, left: number, milliseconds: number): string {
  if (milliseconds < 500 || done <= 0 || left <= 0) return '';
  const bytesPerSecond = done / (milliseconds / 1000);
  const seconds = Math.ceil(left / bytesPerSecond);
  const time = seconds < 100 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
  return `, ${formatBytes(Math.round(bytesPerSecond))}/s, ${time} left`;
}
