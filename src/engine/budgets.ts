import { FormatError } from './errors.ts';
import type { ByteSource } from './files.ts';

const MIB = 2 ** 20;

/**
 * How much of a file is read at most, by its kind. Every published file is far smaller. A larger file is refused by
 * name before memory is taken for it. docs/limits.md says the same for users.
 */
export const budgets = {
  /** config.json, in bytes, and what else describes a model in a few lines. */
  config: 16 * MIB,
  /** model.safetensors.index.json, in bytes. */
  index: 16 * MIB,
  /** Files that an index names. */
  shards: 4096,
  /** tokenizer.json, vocab.json, merges.txt and their like, in bytes each. */
  tokenizer: 64 * MIB,
  /** Tokens of a vocabulary. */
  vocabulary: 2 ** 20,
  /** Merges of a tokenizer: twice as many as the largest published one has. */
  merges: 2 ** 20,
  /** Values and keys in a JSON file of a model: a value of two characters takes 60 bytes of memory. */
  jsonValues: 2 ** 22,
  /** The header of a safetensors file, in bytes: more than a hundred thousand tensors. The format allows 100 MB. */
  safetensorsHeader: 16 * MIB,
  /** The header of a .npy file, in bytes. */
  npyHeader: MIB,
  /** Files within a .npz archive. */
  npzFiles: 65_536,
  /** Matrices that are measured in one run: slices of stacks, and tensors. */
  matrices: 65_536,
  /** A file of token ids, in bytes. */
  ids: 16 * MIB,
  /** A text, in bytes, after decompression. */
  text: 256 * MIB,
  /** The report.json of a run, in bytes. */
  report: 256 * MIB,
  /** One JSON answer of the hub, in bytes. */
  hubAnswer: 32 * MIB,
  /** All pages of a listing of the hub, in bytes. */
  hubListing: 64 * MIB,
} as const;

/** The budget of one of a model's text files, by its name. */
export function budgetOf(fileName: string): number {
  if (/\.index\.([^.]+\.)?json$/.test(fileName)) return budgets.index;
  return /^(tokenizer\.json|vocab\.json|merges\.txt|added_tokens\.json)$/.test(fileName)
    ? budgets.tokenizer
    : budgets.config;
}

/** @throws FormatError naming the file and what it may take, if it is larger. */
export function checkBudget({ name, size }: Pick<ByteSource, 'name' | 'size'>, limit: number): void {
  if (size <= limit) return;
  throw FormatError.at(
    name,
    `has ${size} bytes, and at most ${limit} are read of such a file; is it the right one?`,
  );
}

/** @throws FormatError naming the file, if its text holds more values and keys than are read. */
export function checkJsonValues(text: string, name: string): void {
  const limit = budgets.jsonValues;
  if (text.length <= limit) return; // each takes a character at least
  let values = 1;
  for (let at = 0; at < text.length && values <= limit; at += 1) {
    const character = text.charCodeAt(at);
    if (character === QUOTE) at = endOfString(text, at);
    else if (BEGIN_VALUES.has(character)) values += 1;
  }
  if (values <= limit) return;
  throw FormatError.at(
    name,
    `holds more than ${limit} values, which is more than Laminar reads; is it the right file?`,
  );
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
/** What stands before a value or a key. */
const BEGIN_VALUES = new Set([...'[{,:'].map((character) => character.charCodeAt(0)));

/** The place of the quotation mark that ends a string; the text's end if there is none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}
