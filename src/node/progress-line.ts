/** A stage of work as it stands. */
export interface StageState {
  readonly name: string;
  readonly done: number;
  readonly total: number;
  /** How much that is, in words. */
  readonly amount: string;
  readonly seconds: number;
  /** Undefined if it is not known yet. */
  readonly secondsLeft: number | undefined;
}

/** Letters of a bar. */
const SHORTEST_BAR = 6;
const LONGEST_BAR = 30;

/**
 * A stage in one line that fits the terminal: always its name and the percent, then the amount, a bar and the time, as
 * far as there is room.
 * @param columns of the terminal
 * @param isUnicode whether it shows blocks
 * @returns fewer letters than columns: a cursor in the last column wraps on some terminals
 */
export function progressLine(state: StageState, columns: number, isUnicode: boolean): string {
  const { name, done, total, amount, seconds, secondsLeft } = state;
  const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 1;
  const percent = `${Math.floor(100 * share)}%`.padStart(4);
  const left = secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`;
  const time = `${duration(seconds)}${left}`;
  const room = columns - 1;
  const parts = (bar: string, ...others: string[]) =>
    [name, bar, percent, ...others].filter(Boolean).join('  ');
  const width = (...others: string[]) => room - parts('', ...others).length - 2;
  const chosen = [[amount, time], [amount], []].find((others) => width(...others) >= SHORTEST_BAR);
  if (!chosen) return parts('').slice(0, Math.max(0, room));
  const letters = Math.min(LONGEST_BAR, width(...chosen));
  const full = Math.floor(share * letters);
  const bar = (isUnicode ? '█' : '#').repeat(full) + (isUnicode ? '░' : '-').repeat(letters - full);
  return parts(bar, ...chosen);
}

/** Seconds as people say them: `8 s`, `1 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
