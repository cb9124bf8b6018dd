import { option, wording } from '../engine/error-words.ts';
import type { Remedy } from '../engine/error-words.ts';
import { InputError } from '../engine/errors.ts';

/** The part of a text that is run: tokens start to start + length − 1. */
export interface TokenWindow {
  readonly start: number;
  readonly length: number;
}

/** What the caller may choose. */
export interface WindowOptions {
  readonly start?: number | undefined;
  readonly tokens?: number | undefined;
  /** How many windows, spread over the text; default the one. */
  readonly windows?: number | undefined;
}

/**
 * Chooses the window of a text: from its middle, floor(n / 2), as long as the model's context, unless asked otherwise.
 * Where the text ends before that, the window begins earlier; a text shorter than the context is taken whole.
 * @param available tokens n of the whole text
 * @param context the maximum number of tokens that the model can take
 * @param text what errors call the text: its file or URL
 * @throws InputError if the text is empty or shorter than asked, if more tokens are asked for than the context holds,
 * or if start or tokens are not whole numbers
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
      wording`${option('tokens')} ${length} is not a number of tokens; give a whole number from 1 to ${context}`,
      { code: 'option-out-of-range', subject: { kind: 'option', name: 'tokens' } },
    );
  const middle = Math.max(0, Math.min(Math.floor(available / 2), available - length));
  const start = options.start ?? middle;
  if (!Number.isSafeInteger(start) || start < 0)
    throw new InputError(
      wording`${option('start')} ${start} is not a place in the text; give a whole number, 0 or more`,
      { code: 'option-out-of-range', subject: { kind: 'option', name: 'start' } },
    );
  if (length > context)
    throw new InputError(
      wording`${option('tokens')} ${length} is more than the model's context of ${context} tokens`,
      {
        code: 'context-exceeded',
        subject: { kind: 'option', name: 'tokens' },
        remedies: [{ kind: 'give', option: 'tokens', value: `${context} or fewer` }],
      },
    );
  if (available === 0)
    throw new InputError(wording`${text} holds no tokens; give a ${option('text')} that is not empty`, {
      code: 'text-empty',
      subject: { kind: 'option', name: 'text' },
    });
  if (start + length > available) throw tooShort(text, available, start, length);
  return { start, length };
}

function tooShort(text: string, available: number, start: number, length: number): InputError {
  const left = Math.max(0, available - start);
  const remedies: Remedy[] = [];
  if (left > 0) remedies.push({ kind: 'give', option: 'tokens', value: `${left} or fewer` });
  if (start > 0 && available >= length)
    remedies.push({ kind: 'give', option: 'start', value: `${available - length} or less` });
  remedies.push({ kind: 'give', value: 'a longer text' });
  return new InputError(
    `${text} is too short: ${left} of its ${available} tokens lie from token ${start} on, ${length} are needed`,
    { code: 'text-too-short', subject: { kind: 'option', name: 'text' }, remedies },
  );
}

/** Where the windows of a text begin, the chosen one first. */
export interface SpreadWindows {
  /** [count], the first is the given one's; the others ascend. */
  readonly starts: readonly number[];
  /** Whether some of them share tokens, because the text is too short. */
  readonly overlap: boolean;
}

/**
 * Spreads windows of one length over a text: the chosen one stays where it is, and the others are spread evenly over
 * the text before and after it. They do not overlap if the text has room for all of them.
 * @param available tokens n of the whole text
 * @param count how many windows, including the chosen one
 * @throws InputError if the text has fewer different windows
 */
export function spreadWindows(
  available: number,
  { start, length }: TokenWindow,
  count: number,
  text = 'the text',
): SpreadWindows {
  const different = available - length + 1;
  if (count > different)
    throw new InputError(
      wording`${option('windows')} ${count} is more than ${text} has: its ${available} tokens hold ${different} different ${
        different === 1 ? 'window' : 'windows'
      } of ${length}`,
      {
        code: 'text-too-short',
        subject: { kind: 'option', name: 'windows' },
        remedies: [
          { kind: 'give', option: 'windows', value: `${different} or fewer` },
          { kind: 'lower', option: 'tokens' },
          { kind: 'give', value: 'a longer text' },
        ],
      },
    );
  const others = count - 1;
  const [before, after] = [start, available - start - length];
  const [roomBefore, roomAfter] = [Math.floor(before / length), Math.floor(after / length)];
  if (roomBefore + roomAfter >= others) {
    const share = Math.round((others * before) / Math.max(1, before + after));
    const first = Math.max(others - roomAfter, Math.min(share, roomBefore));
    const starts = [
      ...laidInto(0, before, length, first),
      ...laidInto(start + length, after, length, others - first),
    ];
    return { starts: [start, ...starts], overlap: false };
  }
  // Every place except the chosen one may be taken.
  const places = different - 1;
  const spread = Array.from({ length: others }, (_, index) => {
    const place =
      others === 1 ? (start > places / 2 ? 0 : places - 1) : (index * (places - 1)) / (others - 1);
    const rounded = Math.round(place);
    return rounded < start ? rounded : rounded + 1;
  });
  return { starts: [start, ...spread], overlap: true };
}

/** Starts of windows, each in the middle of an equal part of a stretch that holds them all. */
function laidInto(from: number, stretch: number, length: number, count: number): number[] {
  const part = stretch / count;
  return Array.from({ length: count }, (_, index) => from + Math.floor(index * part + (part - length) / 2));
}
