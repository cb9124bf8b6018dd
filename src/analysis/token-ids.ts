import { FormatError, InputError } from '../engine/errors.ts';
import { isJsonObject } from '../engine/files.ts';
import { parsePastedValue, PasteError } from './pasted-value.ts';

/** The limits of token ids. */
export interface TokenLimits {
  /** Ids lie from 0 to vocabulary − 1. */
  readonly vocabulary: number;
  /** The maximum number of tokens of a sequence. */
  readonly context: number;
}

/** Token ids that stand for a text; without `shuffled` the caller shuffles by the seed. */
export interface GivenTokens {
  readonly real: Int32Array<ArrayBuffer>;
  readonly shuffled?: Int32Array<ArrayBuffer>;
  /** Other windows of the same text, where several are asked for, and the first token of each. */
  readonly windows?: readonly { readonly start: number; readonly ids: Int32Array<ArrayBuffer> }[];
}

const FORMS =
  'give an array of token ids such as [464, 11, 262], an encoding {"input_ids": [...]}, or {"real": [...], "shuffled": [...]}';

/**
 * Checks one sequence of token ids.
 * @param ids what should be an array of them, or a batch of one
 * @param where what to call it in an error, such as 'ids.json' or 'ids.json, "real"'
 * @returns [T], 1 ≤ T ≤ context
 * @throws InputError naming the place and the first id that is not a whole number or is out of the vocabulary
 */
export function checkTokenIds(ids: unknown, limits: TokenLimits, where: string): Int32Array<ArrayBuffer> {
  const { vocabulary, context } = limits;
  const sequence = oneSequence(ids, where);
  if (sequence.length === 0)
    throw refused('text-empty', `${where}: there are no token ids; give at least one`);
  // Every id is looked at before any is stored, for Int32Array would take 2³² + 5 as 5.
  const checked = Array.from(sequence, (id, position) => {
    if (typeof id !== 'number' || !Number.isInteger(id))
      throw refused(
        'token-invalid',
        `${where}: token id ${position} is ${show(id)}; give whole numbers${advice(id)}`,
      );
    if (id < 0 || id >= vocabulary)
      throw refused(
        'token-invalid',
        `${where}: token id ${position} is ${id}, out of the vocabulary; give ids from 0 to ${vocabulary - 1}`,
      );
    return id;
  });
  if (checked.length > context)
    throw refused(
      'context-exceeded',
      `${where}: ${checked.length} token ids are more than the model's context of ${context}; give ${context} or fewer`,
    );
  return Int32Array.from(checked);
}

/**
 * Reads the text of an ids file, or pasted ids. It takes an array, a batch of one, numbers between spaces or commas, an
 * encoding as tokenizers give it ({"input_ids"} or {"ids"}, with or without a mask), or {"real": […], "shuffled": […]},
 * where both are used as given. It also reads what Python, its libraries and Node print.
 * @param where what errors call it
 * @param onNotice told if padding is left out
 * @throws FormatError if it is none of these; InputError if an id is not valid, or if lengths differ
 */
export function readTokenIds(
  text: string,
  limits: TokenLimits,
  where: string,
  onNotice?: (message: string) => void,
): GivenTokens {
  const trimmed = text
    .replace(/^\uFEFF/, '') // some editors' byte order mark
    .replace(/^[ \t]*#.*$/gm, '')
    .trim();
  if (trimmed === '') throw FormatError.at(where, `is empty; ${FORMS}`);
  if (/^[-+\d]/.test(trimmed))
    return {
      real: checkTokenIds(
        trimmed
          .split(/[\s,;]+/)
          .filter(Boolean)
          .map(asNumber),
        limits,
        where,
      ),
    };
  let value: unknown;
  try {
    value = parsePastedValue(trimmed);
  } catch (error) {
    if (!(error instanceof PasteError)) throw error;
    throw FormatError.at(where, `cannot be read as token ids: ${error.message}; ${FORMS}`);
  }
  if (isJsonObject(value)) checkKeysOnce(trimmed, where);
  return parseTokenIds(value, limits, where, onNotice);
}

/** The last of two equal keys would count, and nobody knows which was meant. @throws InputError naming one */
function checkKeysOnce(text: string, where: string): void {
  const seen = new Set<string>();
  for (const [, key = ''] of text.matchAll(/["'](real|shuffled)["']\s*:/g)) {
    if (seen.has(key))
      throw refused('ids-invalid', `${where}: has the key "${key}" twice; leave one of them out`);
    seen.add(key);
  }
}

/** A word as a number, if it is one. */
function asNumber(word: string): unknown {
  return /^[-+]?\d+(\.\d+)?(e[-+]?\d+)?$/i.test(word) ? Number(word) : word;
}

/**
 * The same of parsed JSON.
 * @throws InputError as readTokenIds
 */
export function parseTokenIds(
  json: unknown,
  limits: TokenLimits,
  where: string,
  onNotice?: (message: string) => void,
): GivenTokens {
  if (Array.isArray(json) || asArray(json) !== undefined) return { real: checkTokenIds(json, limits, where) };
  if (!isJsonObject(json)) throw refused('ids-invalid', `${where}: ${FORMS}`);
  const key = ['input_ids', 'ids', 'token_ids', 'tokens'].find((name) => name in json);
  if (key !== undefined) {
    const name = `${where}, "${key}"`;
    const sequence = withoutPadding(oneSequence(json[key], name), json['attention_mask'], where, onNotice);
    return { real: checkTokenIds(sequence, limits, name) };
  }
  if (!('real' in json) || !('shuffled' in json)) {
    const lone = 'real' in json ? 'has "real" without "shuffled"' : 'has none of the keys that are read';
    throw refused('ids-invalid', `${where}: ${lone}; ${FORMS}`);
  }
  const real = checkTokenIds(json['real'], limits, `${where}, "real"`);
  const shuffled = checkTokenIds(json['shuffled'], limits, `${where}, "shuffled"`);
  if (real.length !== shuffled.length)
    throw refused(
      'lengths-unequal',
      `${where}: "real" has ${real.length} token ids and "shuffled" ${shuffled.length}; give equal lengths`,
    );
  return { real, shuffled };
}

function refused(code: string, problem: string): InputError {
  return new InputError(problem, { code, subject: { kind: 'option', name: 'ids' } });
}

/** The one sequence of an array, or of a batch of one. */
function oneSequence(value: unknown, where: string): ArrayLike<unknown> {
  const array = asArray(value);
  if (!array) throw refused('ids-invalid', `${where}: token ids must be an array of whole numbers`);
  if (array.length === 0 || asArray(array[0]) === undefined) return array;
  if (array.length > 1)
    throw refused(
      'ids-invalid',
      `${where}: this is a batch of ${array.length} sequences, and a run takes one; give one of them, or {"real": [...], "shuffled": [...]}`,
    );
  return oneSequence(array[0], where);
}

/** An array, or what JSON.stringify makes of a typed array: {"0": 464, "1": 11}. */
function asArray(value: unknown): ArrayLike<unknown> | undefined {
  if (Array.isArray(value) || value instanceof Int32Array) return value as ArrayLike<unknown>;
  if (!isJsonObject(value)) return undefined;
  const entries = Object.entries(value);
  const isIndexed = entries.length > 0 && entries.every(([key], index) => key === String(index));
  return isIndexed ? entries.map(([, item]) => item) : undefined;
}

/** Leaves out what the mask says is padding: zeros before or after the text. The model is run on the rest alone. */
function withoutPadding(
  ids: ArrayLike<unknown>,
  mask: unknown,
  where: string,
  onNotice?: (message: string) => void,
): ArrayLike<unknown> {
  if (mask === undefined || mask === null) return ids;
  const name = `${where}, "attention_mask"`;
  const values = Array.from(oneSequence(mask, name));
  if (values.length !== ids.length)
    throw refused(
      'lengths-unequal',
      `${name} has ${values.length} values and there are ${ids.length} token ids; give as many of both, or no mask`,
    );
  const strange = values.findIndex((value) => value !== 0 && value !== 1);
  if (strange !== -1)
    throw refused(
      'ids-invalid',
      `${name}: value ${strange} is ${show(values[strange])}; give 1 for a token and 0 for padding`,
    );
  const start = values.indexOf(1);
  const stop = values.lastIndexOf(1) + 1;
  if (start === -1) throw refused('ids-invalid', `${name} has only zeros; give 1 for each token to run`);
  const hole = values.slice(start, stop).indexOf(0);
  if (hole !== -1)
    throw refused(
      'ids-invalid',
      `${name}: value ${start + hole} is 0 between ones; only padding before or after the tokens can be left out`,
    );
  const padding = ids.length - (stop - start);
  if (padding > 0)
    onNotice?.(
      `${where}: ${padding} of ${ids.length} token ids are padding by the attention mask and are left out; the first token that is left has position 0`,
    );
  return Array.from(ids).slice(start, stop);
}

function show(value: unknown): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value).slice(0, 60);
}

function advice(value: unknown): string {
  if (typeof value !== 'string') return '';
  return /^\s*\d+\s*$/.test(value) ? ' without quotes' : '; for a text, give the text itself';
}
