import { budgets } from '../budgets.ts';
import { FormatError } from '../errors.ts';
import { byteTokens, toByteCharacters } from './byte-level.ts';
import { readVocabulary } from './json.ts';
import { MergeTable, WordMerger } from './merges.ts';
import type { TokenIds } from './token-ids.ts';
import type { WordModel } from './word-model.ts';

/** Words of more characters are cut where no merge can cross, and are not kept. */
const SHORT = 256;
/** The maximum number of words that are kept with their ids: most words of a text are repetitions of a few. */
const KEPT_WORDS = 2 ** 16;
/** Characters of a long word that are looked at before others have a turn. */
const LOOKED_AT_ONCE = 2 ** 16;
/** Engines keep a long piece of a text as a reference to all of it; shorter ones are copies. */
const SURELY_COPIED = 12;

/** Byte-pair encoding as the Rust library computes it: on ids, by rank, leftmost first. */
export class Bpe implements WordModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly #table: MergeTable;
  readonly #merger: WordMerger;
  readonly #tokens: (string | undefined)[] = [];
  /** Undefined if unknown characters are dropped. */
  readonly #unknown: (() => number) | undefined;
  readonly #fusesUnknown: boolean;
  readonly #hasByteFallback: boolean;
  readonly #ignoresMerges: boolean;
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #kept = new Map<string, number | readonly number[]>();
  readonly #keptParts = new Map<string, number | readonly number[]>();
  /** UTF-16 units of the longest token. */
  readonly #longest: number;
  #crossed: Set<string> | undefined;
  readonly #uncrossed = new Map<string, boolean>();

  /**
   * @param model the "model" of tokenizer.json
   * @param readsBytes whether words are to be mapped to the characters of their bytes first
   * @throws FormatError if it is not a BPE model, or a merge names a token that the vocabulary lacks
   */
  constructor(
    model: Readonly<Record<string, unknown>>,
    private readonly readsBytes: boolean,
  ) {
    this.vocabulary = readVocabulary(model['vocab']);
    let longest = 0;
    for (const [token, id] of this.vocabulary) {
      this.#tokens[id] = token;
      longest = Math.max(longest, token.length);
    }
    this.#longest = longest;
    const unknown = model['unk_token'];
    if (typeof unknown === 'string') {
      this.#unknown = () => {
        const id = this.vocabulary.get(unknown);
        if (id !== undefined) return id;
        throw new FormatError(`its vocabulary lacks the unknown token ${JSON.stringify(unknown)}`);
      };
    }
    this.#fusesUnknown = model['fuse_unk'] === true;
    this.#hasByteFallback = model['byte_fallback'] === true;
    this.#ignoresMerges = model['ignore_merges'] === true;
    this.#prefix = stringOr(model['continuing_subword_prefix']);
    this.#suffix = stringOr(model['end_of_word_suffix']);
    this.#table = new MergeTable(readMerges(model['merges'], this.vocabulary, this.#prefix.length));
    this.#merger = new WordMerger(this.#table, 4 * SHORT); // a character may begin as four bytes
  }

  encode(word: string, ids: TokenIds): Iterable<void> | undefined {
    const kept = this.#kept.get(word);
    if (kept !== undefined) {
      append(kept, ids);
      return undefined;
    }
    const isShort = word.length <= SHORT;
    const mapped =
      isShort || (this.#ignoresMerges && word.length <= this.#longest) ? this.#map(word) : undefined;
    const whole = this.#ignoresMerges && mapped !== undefined ? this.vocabulary.get(mapped) : undefined;
    if (whole === undefined && (mapped === undefined || mapped.length > SHORT))
      return this.#encodeLong(word, ids);
    const found = whole ?? this.#mergeShort(mapped!);
    keep(this.#kept, word, found);
    append(found, ids);
    return undefined;
  }

  #map(word: string): string {
    return this.readsBytes ? toByteCharacters(word) : word;
  }

  #mergeShort(word: string): number[] {
    const symbols: number[] = [];
    const steps = this.#symbols(word, symbols);
    while (!steps.next().done);
    return this.#merger.runAtOnce(symbols);
  }

  /** Adds the symbols that merging begins with: a token for each character, or what stands for it. */
  *#symbols(word: string, symbols: number[]): Generator<void, void> {
    let paused = 0;
    let pending: number | undefined; // an unknown character waits for those that are fused with it
    const settle = () => {
      if (pending !== undefined) symbols.push(pending);
      pending = undefined;
    };
    let offset = 0;
    for (const character of word) {
      if (offset - paused >= LOOKED_AT_ONCE) {
        paused = offset;
        yield;
      }
      const prefix = offset === 0 ? '' : this.#prefix;
      offset += character.length;
      const name = prefix + character + (offset === word.length ? this.#suffix : '');
      const id = this.vocabulary.get(name);
      const bytes = id === undefined && this.#hasByteFallback ? byteTokens(name, this.vocabulary) : undefined;
      if (id !== undefined) {
        settle();
        symbols.push(id);
      } else if (bytes) {
        symbols.push(...bytes);
      } else {
        if (!this.#fusesUnknown) settle();
        pending = this.#unknown?.(); // without an unknown token the character vanishes, as in the Rust library
      }
    }
    settle();
  }

  /**
   * A long word in parts. If no merged token holds two characters side by side, no merge crosses between them. So the parts
   * between such places merge as they would within the whole word.
   */
  *#encodeLong(word: string, ids: TokenIds): Iterable<void> {
    let part = '';
    let left = '';
    for (const stretch of stretches(word)) {
      const mapped = this.#map(stretch);
      let start = 0;
      let place = 0;
      for (const right of mapped) {
        if (left !== '' && this.#neverMerge(left, right)) {
          yield* this.#encodePart(part + mapped.slice(start, place), ids);
          part = '';
          start = place;
        }
        left = right;
        place += right.length;
      }
      part += mapped.slice(start);
      yield;
    }
    yield* this.#encodePart(part, ids);
  }

  *#encodePart(part: string, ids: TokenIds): Iterable<void> {
    const kept = this.#keptParts.get(part);
    if (kept !== undefined) {
      append(kept, ids);
    } else if (part.length <= SHORT) {
      const found = this.#mergeShort(part);
      keep(this.#keptParts, part, found);
      append(found, ids);
    } else {
      const symbols: number[] = [];
      yield* this.#symbols(part, symbols);
      if (symbols.length === 0) return;
      const merger = new WordMerger(this.#table, symbols.length);
      yield* merger.run(symbols, (id) => {
        ids.push(id);
      });
    }
  }

  /** Whether a word may be cut between two characters. */
  #neverMerge(left: string, right: string): boolean {
    if (this.#prefix !== '' || this.#suffix !== '') return false;
    const pair = left + right;
    const known = this.#uncrossed.get(pair);
    if (known !== undefined) return known;
    // Runs of unknown characters are fused, and bytes that stand for a character may merge: only known ones are cut.
    const isFree =
      this.vocabulary.has(left) && this.vocabulary.has(right) && !(this.#crossed ??= this.#pairs()).has(pair);
    if (this.#uncrossed.size >= KEPT_WORDS) this.#uncrossed.clear();
    this.#uncrossed.set(pair, isFree);
    return isFree;
  }

  /** All pairs of characters side by side in what merges make. */
  #pairs(): Set<string> {
    const pairs = new Set<string>();
    for (const merged of this.#table.products) {
      let left = '';
      for (const right of this.#tokens[merged]!) {
        if (left !== '') pairs.add(left + right);
        left = right;
      }
    }
    return pairs;
  }
}

/** A long word in stretches that are mapped and searched at once; no pair of surrogates is parted. */
function* stretches(word: string): Iterable<string> {
  for (let start = 0; start < word.length;) {
    let stop = Math.min(start + LOOKED_AT_ONCE, word.length);
    if (stop < word.length && /[\uDC00-\uDFFF]/.test(word[stop]!)) stop += 1;
    yield word.slice(start, stop);
    start = stop;
  }
}

function append(found: number | readonly number[], ids: TokenIds): void {
  if (typeof found === 'number') ids.push(found);
  else for (const id of found) ids.push(id);
}

function keep(
  kept: Map<string, number | readonly number[]>,
  word: string,
  ids: number | readonly number[],
): void {
  if (word.length > SHORT) return;
  if (kept.size >= KEPT_WORDS) kept.clear();
  kept.set(ownCopy(word), typeof ids !== 'number' && ids.length === 1 ? ids[0]! : ids);
}

/** The same characters in memory of their own, so that the longer text need not be kept. */
function ownCopy(word: string): string {
  if (word.length <= SURELY_COPIED) return word;
  return String.fromCharCode(...Array.from({ length: word.length }, (_, index) => word.charCodeAt(index)));
}

function stringOr(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function readMerges(
  value: unknown,
  vocabulary: ReadonlyMap<string, number>,
  prefixLength: number,
): (readonly [number, number, number])[] {
  if (!Array.isArray(value)) throw new FormatError('its BPE model has no list "merges"');
  if (value.length > budgets.merges)
    throw new FormatError(`it has ${value.length} merges, and at most ${budgets.merges} are read`);
  return (value as unknown[]).map((merge, rank) => {
    const pair: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
    if (
      !Array.isArray(pair) ||
      pair.length !== 2 ||
      typeof pair[0] !== 'string' ||
      typeof pair[1] !== 'string'
    )
      throw new FormatError(`its merge ${rank} is not a pair of tokens`);
    const [left, right] = pair as [string, string];
    const lookUp = (token: string): number => {
      const id = vocabulary.get(token);
      if (id !== undefined) return id;
      throw new FormatError(`its vocabulary lacks ${JSON.stringify(token)}, which merge ${rank} names`);
    };
    return [lookUp(left), lookUp(right), lookUp(left + right.slice(prefixLength))];
  });
}
