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
 * @param available tokens n of the whole text
 * @param context the most tokens that the model can take
 * @param text what errors call the text: its file or URL
 * @throws InputError if the text is empty or shorter than asked, if more tokens are asked for than the context holds,
 *   or if start or tokens are no whole numbers
 */
export function chooseWindow(
  available: number,
  context: number,
  options: WindowOptions = {},
  text = 'the text',
): TokenWindow {
  const length = options.tokens ?? context;
  const start = options.start ?? Math.floor(available / 2);
  if (!Number.isSafeInteger(length) || length < 1)
    throw new InputError(
      `--tokens ${length} is no number of tokens; give a whole number from 1 to ${context}`,
    );
  if (!Number.isSafeInteger(start) || start < 0)
    throw new InputError(`--start ${start} is no place in the text; give a whole number, 0 or more`);
  if (length > context)
    throw new InputError(
      `--tokens ${length} is more than the model's context of ${context} tokens; give --tokens ${context} or fewer`,
    );
  if (available === 0)
    throw new InputError(`${text} holds no token; give a text that is not empty (--text FILE)`);
  if (start + length > available) throw new InputError(tooShort(text, available, start, length));
  return { start, length };
}

function tooShort(text: string, available: number, start: number, length: number): string {
  const left = Math.max(0, available - start);
  const mend = [];
  if (left > 0) mend.push(`--tokens ${left} or fewer`);
  if (start > 0 && available >= length) mend.push(`--start ${available - length} or less`);
  mend.push('a longer text');
  return `${text} is too short: ${left} of its ${available} tokens lie from token ${start} on, ${length} are needed; give ${mend.join(', or ')}`;
}

/** What token ids must keep to. */
export interface TokenLimits {
  /** Ids lie from 0 to vocabulary − 1. */
  readonly vocabulary: number;
  /** The most tokens of a sequence. */
  readonly context: number;
}

/**
 * Checks one sequence of token ids.
 * @param ids what should be an array of them
 * @param where what to call it in an error, such as 'ids.json' or 'ids.json, "real"'
 * @returns [T], 1 ≤ T ≤ context
 * @throws InputError naming the place and the first id that is no whole number or out of the vocabulary
 */
export function checkTokenIds(ids: unknown, limits: TokenLimits, where: string): Int32Array<ArrayBuffer> {
  const { vocabulary, context } = limits;
  if (!Array.isArray(ids) && !(ids instanceof Int32Array))
    throw new InputError(`${where}: token ids must be an array of whole numbers`);
  if (ids.length === 0) throw new InputError(`${where}: there are no token ids; give at least one`);
  if (ids.length > context)
    throw new InputError(
      `${where}: ${ids.length} token ids are more than the model's context of ${context}; give ${context} or fewer`,
    );
  return Int32Array.from(ids as ArrayLike<unknown>, (id, position) => {
    if (typeof id !== 'number' || !Number.isInteger(id)) {
      const shown = typeof id === 'number' ? String(id) : JSON.stringify(id).slice(0, 60);
      throw new InputError(`${where}: token id ${position} is ${shown}; give whole numbers`);
    }
    if (id < 0 || id >= vocabulary)
      throw new InputError(
        `${where}: token id ${position} is ${id}, out of the vocabulary; give ids from 0 to ${vocabulary - 1}`,
      );
    return id;
  });
}

/** Token ids that stand for a text; without `shuffled` the caller shuffles by the seed. */
export interface GivenTokens {
  readonly real: Int32Array<ArrayBuffer>;
  readonly shuffled?: Int32Array<ArrayBuffer>;
}

/**
 * Reads the parsed JSON of an ids file: an array of ids, or {"real": […], "shuffled": […]}, both used as given.
 * @param where the file's name, for errors
 * @throws InputError if it is neither, if an id cannot be meant, or if the two are of different lengths
 */
export function parseTokenIds(json: unknown, limits: TokenLimits, where: string): GivenTokens {
  if (Array.isArray(json)) return { real: checkTokenIds(json, limits, where) };
  if (typeof json !== 'object' || json === null || !('real' in json) || !('shuffled' in json))
    throw new InputError(`${where}: give an array of token ids, or {"real": [...], "shuffled": [...]}`);
  const real = checkTokenIds(json.real, limits, `${where}, "real"`);
  const shuffled = checkTokenIds(json.shuffled, limits, `${where}, "shuffled"`);
  if (real.length !== shuffled.length)
    throw new InputError(
      `${where}: "real" has ${real.length} token ids and "shuffled" ${shuffled.length}; give equal lengths`,
    );
  return { real, shuffled };
}
