import { InputError } from '../engine/errors.ts';

/** The part of a text that is run: tokens start to start + length − 1. */
export interface TokenWindow {
  readonly start: number;
  readonly length: number;
}

/** What the caller may choose of it; `--start` and `--tokens` on the command line. */
export interface WindowOptions {
  readonly start?: number | undefined;
  readonly tokens?: number | undefined;
}

/**
 * Chooses the window of a text: from its middle, floor(n / 2), as long as the model's context, unless asked otherwise.
 * Where the text ends before that, the window begins earlier; a text shorter than the context is taken whole.
 * @param available tokens n of the whole text
 * @param context the maximum of tokens that the model can take
 * @param text what errors call the text: its file or URL
 * @throws InputError if the text is empty or shorter than asked, if more tokens are asked for than the context holds,
 *   or if start or tokens are not whole numbers
 */
export function chooseWindow(
  available: number,
  context: number,
  options: WindowOptions = {},
  text = 'the text',
): TokenWindow {
  const length = options.tokens ?? Math.min(context, Math.max(1, available));
  if (!Number.isSafeInteger(length) || length < 1)
    throw new InputError(
      `--tokens ${length} is not a number of tokens; give a whole number from 1 to ${context}`,
    );
  const middle = Math.max(0, Math.min(Math.floor(available / 2), available - length));
  const start = options.start ?? middle;
  if (!Number.isSafeInteger(start) || start < 0)
    throw new InputError(`--start ${start} is not a place in the text; give a whole number, 0 or more`);
  if (length > context)
    throw new InputError(
      `--tokens ${length} is more than the model's context of ${context} tokens; give --tokens ${context} or fewer`,
    );
  if (available === 0)
    throw new InputError(`${text} holds no tokens; give a text that is not empty (--text FILE)`);
  if (start + length > available) throw new InputError(tooShort(text, available, start, length));
  return { start, length };
}

function tooShort(text: string, available: number, start: number, length: number): string {
  const left = Math.max(0, available - start);
  const fitting = [];
  if (left > 0) fitting.push(`--tokens ${left} or fewer`);
  if (start > 0 && available >= length) fitting.push(`--start ${available - length} or less`);
  fitting.push('a longer text');
  return `${text} is too short: ${left} of its ${available} tokens lie from token ${start} on, ${length} are needed; give ${fitting.join(', or ')}`;
}
