import { MultiBar, Presets } from 'cli-progress';
import type { SingleBar } from 'cli-progress';
import { formatBytes } from '../analysis/quantities.ts';

/** Reports that a stage of work has come to `done` of `total` units, and what it is at, where that needs a word. */
export type StageProgress = (done: number, total: number, which?: string) => void;

/** What the amounts of a stage are: bytes read or fetched, or plain steps. */
export type StageUnit = 'bytes' | 'steps';

/**
 * Where a command speaks to a person: notices and progress bars, all on stderr, so that stdout holds data alone. Where
 * stderr is no terminal there are no bars, only notices.
 */
export class Terminal {
  #bars: MultiBar | undefined;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Prints a line under the command's name, above the bars if there are any. */
  notice(message: string): void {
    const line = `laminar: ${message}\n`;
    if (this.#bars) this.#bars.log(line);
    else this.stream.write(line);
  }

  /** Adds a bar for a stage of the work. It shows nothing before the first amount is reported. */
  stage(name: string, unit: StageUnit = 'steps'): StageProgress {
    if (!this.stream.isTTY) return () => undefined;
    let bar: SingleBar | undefined;
    let rate: (done: number) => string;
    return (done, total, which) => {
      this.#bars ??= new MultiBar(
        {
          stream: this.stream,
          hideCursor: true,
          fps: 8,
          format: '{stage} {bar} {percentage}%  {amount}  {duration_formatted}, {eta_formatted} left',
        },
        Presets.shades_classic,
      );
      rate ??= rateSince(done);
      const steps =
        unit === 'bytes'
          ? `${formatBytes(done)} of ${formatBytes(total)}${rate(done)}`
          : `${done} of ${total}`;
      const amount = which === undefined ? steps : `${steps}, ${which}`;
      const payload = { stage: name.padEnd(10), amount };
      bar ??= this.#bars.create(total, 0, payload);
      bar.setTotal(total);
      bar.update(done, payload);
      if (done >= total) bar.stop(); // its clock, that is
    };
  }

  /** Leaves the bars as they stand; the next stage begins new ones. A running bar would keep Node from exiting. */
  endStages(): void {
    this.#bars?.stop();
    this.#bars = undefined;
  }
}

/** Bytes a second since the first report; what was there already (a download resumed) does not count. */
function rateSince(first: number): (done: number) => string {
  const started = performance.now();
  return (done) => {
    const seconds = (performance.now() - started) / 1000;
    return seconds > 0.5 ? `, ${formatBytes(Math.round((done - first) / seconds))}/s` : '';
  };
}
