/** What a stream's terminal can do, by the habits of https://no-color.org and of POSIX locales. */
export interface TerminalAbilities {
  /** The width in letters; 80 if it is not known. */
  readonly columns: number;
  /** Whether it shows letters beyond ASCII. */
  readonly isUnicode: boolean;
  /** Whether it takes colours, and wants them. */
  readonly hasColour: boolean;
  /** Whether a line can be drawn over. */
  readonly canRedraw: boolean;
}

/** @param environment such as process.env */
export function terminalAbilities(
  { isTTY, columns }: { readonly isTTY?: boolean; readonly columns?: number },
  environment: Readonly<Record<string, string | undefined>>,
): TerminalAbilities {
  const { TERM, NO_COLOR, LC_ALL, LC_CTYPE, LANG } = environment;
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '');
  const isDumb = TERM === 'dumb';
  return {
    columns: columns !== undefined && columns > 0 ? columns : 80,
    // Containers often set no locale, and their terminals are those of today.
    isUnicode: TERM !== 'linux' && !isDumb && (locale === undefined || /utf-?8/i.test(locale)),
    hasColour: isTTY === true && !isDumb && (NO_COLOR === undefined || NO_COLOR === ''),
    canRedraw: isTTY === true && !isDumb,
  };
}
