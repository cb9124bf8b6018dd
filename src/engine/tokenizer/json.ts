import { budgets } from '../budgets.ts';
import { FormatError } from '../errors.ts';
import { isJsonObject } from '../files.ts';

/** A part of tokenizer.json: an object with a type. */
export interface Part {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** The parts that a list holds under `field`. @throws FormatError if there is no such list */
export function listOfParts(part: Part, field: string): readonly Part[] {
  const list = part[field];
  if (!Array.isArray(list)) throw new FormatError(`its ${part.type} has no list "${field}"`);
  return list.map((item) => readPart(item, `a member of "${field}"`));
}

/** @throws FormatError if the value is not an object with a type */
export function readPart(value: unknown, name: string): Part {
  if (!isJsonObject(value) || typeof value['type'] !== 'string')
    throw new FormatError(`${name} is not an object with a "type"`);
  return value as unknown as Part;
}

/** @throws FormatError if the field is there and not a string */
export function stringIn(part: Part, field: string, otherwise: string): string {
  const value = part[field] ?? otherwise;
  if (typeof value !== 'string') throw new FormatError(`"${field}" of its ${part.type} is not a string`);
  return value;
}

/** The entries of a vocabulary {token: id}. @throws FormatError if an id is not a whole number from 0 on */
export function readVocabulary(value: unknown, name = 'its vocabulary'): Map<string, number> {
  if (!isJsonObject(value)) throw new FormatError(`${name} is not an object of tokens and ids`);
  const vocabulary = new Map<string, number>();
  const tokens = Object.keys(value);
  if (tokens.length > budgets.vocabulary)
    throw new FormatError(`${name} has ${tokens.length} tokens, and at most ${budgets.vocabulary} are read`);
  for (const token of tokens) {
    const id = value[token]; // a list of entries would take three times as long
    if (!Number.isInteger(id) || Number(id) < 0 || Number(id) > 0x7fffffff)
      throw new FormatError(`${name} gives token ${JSON.stringify(token)} the id ${JSON.stringify(id)}`);
    vocabulary.set(token, Number(id));
  }
  return vocabulary;
}
