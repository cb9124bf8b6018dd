import { FormatError } from '../errors.ts';
import { isJsonObject } from '../files.ts';
import type { Normalizer } from './normalizers.ts';

/** A token that is found in a text before it is cut into words. */
export interface AddedToken {
  readonly content: string;
  readonly isSpecial: boolean;
  /** Looked for in the text after the normalizer, rather than before. */
  readonly isNormalized: boolean;
  /** Only where no letter or digit touches it. */
  readonly isSingleWord: boolean;
  /** Takes the white space before or after it, too. */
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
}

/** @throws FormatError if the value is not a token with a content */
export function readAddedToken(value: unknown): AddedToken {
  if (!isJsonObject(value) || typeof value['content'] !== 'string')
    throw new FormatError('one of its added tokens has no "content"');
  const isSpecial = value['special'] === true;
  return {
    content: value['content'],
    isSpecial,
    isNormalized: (value['normalized'] ?? !isSpecial) === true,
    isSingleWord: value['single_word'] === true,
    stripsLeft: value['lstrip'] === true,
    stripsRight: value['rstrip'] === true,
  };
}

/**
 * The ids of added tokens: a token that the vocabulary has keeps its id there, the others follow the largest id, in
 * order. The ids that a file writes beside them are not read, as the Rust library does not read them.
 */
export function giveIds(
  tokens: readonly AddedToken[],
  vocabulary: ReadonlyMap<string, number>,
): Map<AddedToken, number> {
  const ids = new Map<AddedToken, number>();
  const byContent = new Map<string, number>();
  let largest = -1;
  for (const token of tokens) {
    if (token.content === '') continue;
    const after = largest >= vocabulary.size || vocabulary.size === 0 ? largest + 1 : vocabulary.size;
    const id = byContent.get(token.content) ?? vocabulary.get(token.content) ?? after;
    byContent.set(token.content, id);
    ids.set(token, id);
    largest = Math.max(largest, id);
  }
  return ids;
}

/** A piece of a text: the id of an added token, or what lies between; undefined for a pause in a long search. */
export type Section = number | string | undefined;

/** Characters that are searched before others have a turn. */
const SEARCHED_AT_ONCE = 2 ** 21;

interface Node {
  readonly next: Map<number, Node>;
  found?: { readonly token: AddedToken; readonly id: number };
}

interface Match {
  readonly token: AddedToken;
  readonly id: number;
  readonly from: number;
  readonly to: number;
}

/** Finds added tokens: the leftmost, and of those that begin there the longest. */
export class AddedTokenFinder {
  readonly #root: Node = { next: new Map() };
  /** Whether a token begins with a UTF-16 unit: a look into it is faster than into a map. */
  readonly #begins = new Uint8Array(2 ** 16);

  /** @param normalize what the tokens go through before they are looked for */
  constructor(tokens: Iterable<readonly [AddedToken, number]>, normalize: Normalizer = (text) => text) {
    for (const [token, id] of tokens) {
      let node = this.#root;
      const content = normalize(token.content);
      for (let index = 0; index < content.length; index += 1) {
        const unit = content.charCodeAt(index);
        let next = node.next.get(unit);
        if (!next) node.next.set(unit, (next = { next: new Map() }));
        node = next;
      }
      if (node === this.#root) continue;
      node.found ??= { token, id };
      this.#begins[content.charCodeAt(0)] = 1;
    }
  }

  /** The sections of a text, in order; none is empty. */
  *split(text: string): Iterable<Section> {
    let start = 0;
    for (const match of this.#matches(text)) {
      if (!match) {
        yield undefined;
        continue;
      }
      const { token, id, from, to } = match;
      if (token.isSingleWord && (isWordBefore(text, from) || isWordAt(text, to))) continue;
      // White space that the token before has taken stays with it.
      const begin = token.stripsLeft ? Math.max(start, skipSpaceBefore(text, from)) : from;
      const end = token.stripsRight ? skipSpaceAfter(text, to) : to;
      if (start < begin) yield text.slice(start, begin);
      if (begin < end) yield id; // the token before may have taken all of a token of white space
      start = end;
    }
    if (start < text.length) yield text.slice(start);
  }

  *#matches(text: string): Iterable<Match | undefined> {
    const { next: first } = this.#root;
    if (first.size === 0) return;
    let paused = 0;
    for (let from = 0; from < text.length;) {
      if (from - paused >= SEARCHED_AT_ONCE) {
        paused = from;
        yield undefined;
      }
      if (this.#begins[text.charCodeAt(from)] === 0) {
        from += 1;
        continue;
      }
      let node = first.get(text.charCodeAt(from));
      let found: Node['found'];
      let to = from;
      for (let index = from + 1; node; index += 1) {
        if (node.found) {
          found = node.found;
          to = index;
        }
        node = index < text.length ? node.next.get(text.charCodeAt(index)) : undefined;
      }
      if (found) yield { ...found, from, to };
      from = found ? to : from + 1;
    }
  }
}

const word = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]/u;
const whiteSpace = /\p{White_Space}/u; // all of it in the Basic Multilingual Plane

function isWordAt(text: string, place: number): boolean {
  return place < text.length && word.test(String.fromCodePoint(text.codePointAt(place)!));
}

function isWordBefore(text: string, place: number): boolean {
  if (place === 0) return false;
  const isPair = place > 1 && /[\uDC00-\uDFFF]/.test(text[place - 1]!);
  return isWordAt(text, place - (isPair ? 2 : 1));
}

function skipSpaceBefore(text: string, place: number): number {
  let start = place;
  while (start > 0 && whiteSpace.test(text[start - 1]!)) start -= 1;
  return start;
}

function skipSpaceAfter(text: string, place: number): number {
  let stop = place;
  while (stop < text.length && whiteSpace.test(text[stop]!)) stop += 1;
  return stop;
}
