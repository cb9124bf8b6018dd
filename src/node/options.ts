import { InputError } from '../engine/errors.ts';

/** What turns a flag's text into its value; commander calls it with the text alone or with the value before. */
export type FlagParser<Value> = (text: string) => Value;

/** A whole number of at least `min`. @throws InputError naming the flag. */
export function wholeNumber(flag: string, min: number): FlagParser<number> {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text.trim()) || value < min) {
      throw new InputError(`${flag} ${JSON.stringify(text)} is not a whole number of at least ${min}`);
    }
    if (!Number.isSafeInteger(value)) {
      throw new InputError(`${flag} ${text} is too large; give at most ${Number.MAX_SAFE_INTEGER}`);
    }
    return value;
  };
}

/** The name of something: a file, a folder, a tensor. @throws InputError naming the flag if it is empty. */
export function nonEmpty(flag: string): FlagParser<string> {
  return (text) => {
    if (text === '') throw new InputError(`${flag} is empty; give a name, or leave the flag out`);
    return text;
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  KI: 2 ** 10,
  MI: 2 ** 20,
  GI: 2 ** 30,
  TI: 2 ** 40,
};

/** A byte count: `1500000000`, `1.5GB` (decimal) or `1.5GiB` (binary). @throws InputError naming the flag. */
export function byteCount(flag: string): FlagParser<number> {
  return (text) => {
    const [, digits, prefix] = /^(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?$/.exec(text.trim().toUpperCase()) ?? [];
    const bytes = Math.floor(Number(digits) * BYTE_UNITS[prefix ?? '']!);
    if (digits === undefined || !Number.isSafeInteger(bytes) || bytes < 1) {
      throw new InputError(
        `${flag} ${JSON.stringify(text)} is not a number of bytes such as 1500000000 or 1.5GB`,
      );
    }
    return bytes;
  };
}

/** Numbers from 0 and runs of them, such as `0,3,5-8`. @throws InputError naming the flag. */
export function numberList(flag: string): FlagParser<number[]> {
  return (text) =>
    text.split(',').flatMap((part) => {
      const [, first = '', last = first] = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part) ?? [];
      const [start, end] = [Number(first), Number(last)];
      if (first === '' || end < start || end >= MAX_LISTED) {
        throw new InputError(`${flag} ${JSON.stringify(text)} is not a list of numbers such as 0,3,5-8`);
      }
      return Array.from({ length: end - start + 1 }, (_, index) => start + index);
    });
}

/** No model has as many heads or positions. */
const MAX_LISTED = 2 ** 24;

/** Collects the values of a flag that may be given several times, or with several values at once. */
export function collected<Value>(parse: FlagParser<Value>): (text: string, before?: Value[]) => Value[] {
  return (text, before = []) => [...before, parse(text)];
}

/** Collects names from values such as `rank,rankme`, given once or several times. @throws InputError naming the flag */
export function commaSeparated(flag: string): (text: string, before?: string[]) => string[] {
  return (text, before = []) => [...before, ...text.split(',').map((part) => nonEmpty(flag)(part.trim()))];
}
