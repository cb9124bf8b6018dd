import { formatBytes } from '../analysis/quantities.ts';
import { messageLine, visible, visibleLines } from '../engine/message.ts';
import { progressLine } from './progress-line.ts';
import { terminalAbilities } from './terminal-abilities.ts';

/** Reports that a stage of work has come to `done` of `total` units, and what it is working on, if that needs a word. */
export type StageProgress = (done: number, total: number, which?: string) => void;

/** What the amounts of a stage are: bytes read or fetched, or plain steps. */
export type StageUnit = 'bytes' | 'steps';

/** Between two drawings. */
const REDRAW_MS = 125;
/** The clock of a stage goes on while nothing is reported. */
const TICK_MS = 1000;
/** Goes to the first column and clears the line. */
const CLEAR_LINE = '\r\u001b[K';

/** A stage that has begun. */
interface Stage {
  readonly name: string;
  readonly unit: StageUnit;
  /** In milliseconds. */
  readonly started: number;
  /** The amount at the first report: what was there already, for example of a download that is resumed. */
  readonly first: number;
  done: number;
  total: number;
  which: string | undefined;
}

/**
 * Where a command speaks to a person: notices, and one line of progress that names the stage that runs, all on stderr,
 * so that stdout holds data alone. The line is drawn again and again and leaves nothing behind. If stderr is not a
 * terminal, there are only notices.
 */
export class Terminal {
  /** The stage that reported last. */
  #running: Stage | undefined;
  #drawn = -Infinity;
  #clock: NodeJS.Timeout | undefined;

  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  /** Prints a line under the command's name, above the line of progress if there is one. */
  notice(message: string): void {
    this.#clear();
    this.stream.write(`laminar: ${messageLine(message)}\n`);
    if (this.#running) this.#draw();
  }

  /** Adds a stage of the work. It shows nothing before the first amount is reported. */
  stage(name: string, unit: StageUnit = 'steps'): StageProgress {
    if (!terminalAbilities(this.stream, process.env).canRedraw) return () => undefined;
    let stage: Stage | undefined;
    return (done, total, which) => {
      stage ??= { name, unit, started: performance.now(), first: done, done, total, which };
      Object.assign(stage, { done, total, which });
      const isNew = this.#running !== stage;
      this.#running = stage;
      this.#clock ??= setInterval(() => {
        this.#draw();
      }, TICK_MS).unref();
      if (isNew || done >= total || performance.now() - this.#drawn >= REDRAW_MS) this.#draw();
    };
  }

  /** Takes the line of progress away; the next report begins a new one. */
  endStages(): void {
    clearInterval(this.#clock);
    this.#clock = undefined;
    this.#clear();
    this.#running = undefined;
  }

  #draw(): void {
    const { name, unit, started, first, done, total, which } = this.#running!;
    const { columns, isUnicode } = terminalAbilities(this.stream, process.env);
    const seconds = (performance.now() - started) / 1000;
    const rate = seconds > 0 ? (done - first) / seconds : 0;
    const amount =
      unit === 'bytes'
        ? `${formatBytes(done)} of ${formatBytes(total)}${seconds > 0.5 ? `, ${formatBytes(Math.round(rate))}/s` : ''}`
        : `${done} of ${total}`;
    const line = progressLine(
      {
        name,
        done,
        total,
        amount: which === undefined ? amount : `${amount}, ${visible(which)}`,
        seconds,
        secondsLeft: rate > 0 && done < total ? (total - done) / rate : undefined,
      },
      columns,
      isUnicode,
    );
    this.stream.write(`${CLEAR_LINE}${line}`);
    this.#drawn = performance.now();
  }

  #clear(): void {
    if (this.#running) this.stream.write(CLEAR_LINE);
  }
}

/** Prints an answer for people on stdout. Names within it may hold anything. */
export function printText(text: string): void {
  process.stdout.write(visibleLines(text));
}
