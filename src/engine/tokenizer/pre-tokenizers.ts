import { FormatError } from '../errors.ts';
import { toByteCharacters } from './byte-level.ts';
import { listOfParts, readPart, stringIn } from './json.ts';
import type { Part } from './json.ts';
import { literalPattern, pattern, patternOf } from './patterns.ts';
import type { Pattern, PatternCompiler } from './patterns.ts';

/**
 * Cuts a text into words, one after another, so that a long text is never cut as a whole.
 * @param isFirst whether the text begins where the whole text does
 */
type Cut = (text: string, isFirst: boolean) => Iterable<string>;

/** How texts become words, and whether the words' bytes are what the model knows. */
export interface PreTokenizer {
  readonly cut: Cut;
  /** The last step maps each word to the characters of its bytes; it is left to the model, which keeps what it knows. */
  readonly endsInBytes: boolean;
}

/** GPT-2's pattern (encoder.py), its \s and \S in words that mean the same in JavaScript as in Oniguruma. */
const gpt2Words = pattern(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+`,
);
const punctuation = pattern(String.raw`[\p{P}\u0021-\u002F\u003A-\u0040\u005B-\u0060\u007B-\u007E]`);
const whiteSpace = pattern(String.raw`\p{White_Space}`);
const wordsAndMarks = pattern(
  String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200C\u200D\p{White_Space}]+`,
);

/**
 * The pre-tokenizer of tokenizer.json; null leaves a text whole.
 * @throws FormatError if it is of an unknown kind
 */
export function createPreTokenizer(value: unknown, compile: PatternCompiler): PreTokenizer {
  if (value === null || value === undefined) return { cut: (text) => [text], endsInBytes: false };
  const steps = flatten(readPart(value, '"pre_tokenizer"'));
  const endsInBytes = steps.at(-1)?.type === 'ByteLevel';
  const cuts = steps.map((step, index) => fromPart(step, compile, endsInBytes && index === steps.length - 1));
  return { cut: cuts.length === 1 ? cuts[0]! : inTurn(cuts), endsInBytes };
}

function flatten(part: Part): readonly Part[] {
  return part.type === 'Sequence' ? listOfParts(part, 'pretokenizers').flatMap(flatten) : [part];
}

function inTurn(cuts: readonly Cut[]): Cut {
  return (text, isFirst) => {
    let words: Iterable<string> = [text];
    for (const cut of cuts) words = each(cut, words, isFirst);
    return words;
  };
}

function* each(cut: Cut, words: Iterable<string>, isFirst: boolean): Iterable<string> {
  let atStart = isFirst;
  for (const word of words) {
    yield* cut(word, atStart);
    atStart = false;
  }
}

function fromPart(part: Part, compile: PatternCompiler, leavesBytes: boolean): Cut {
  switch (part.type) {
    case 'ByteLevel':
      return byteLevel(part, leavesBytes);
    case 'Split':
      return split(
        patternOf(part, compile),
        readBehavior(part['behavior'] ?? 'Isolated'),
        part['invert'] === true,
      );
    case 'Digits':
      return split(
        pattern(String.raw`\p{N}`),
        part['individual_digits'] === true ? 'Isolated' : 'Contiguous',
      );
    case 'Punctuation':
      return split(punctuation, readBehavior(part['behavior'] ?? 'Isolated'));
    case 'Whitespace':
      return split(wordsAndMarks, 'Removed', true);
    case 'WhitespaceSplit':
      return split(whiteSpace, 'Removed');
    case 'CharDelimiterSplit':
      return split(literalPattern(stringIn(part, 'delimiter', ' ')), 'Removed');
    case 'BertPreTokenizer':
      return inTurn([split(whiteSpace, 'Removed'), split(punctuation, 'Isolated')]);
    case 'Metaspace':
      return metaspace(part);
    case 'FixedLength':
      return fixedLength(part);
    default:
      throw new FormatError(`its pre-tokenizer ${part.type} is not known`);
  }
}

function byteLevel(part: Part, leavesBytes: boolean): Cut {
  const addsSpace = part['add_prefix_space'] === true; // the Rust library's default is true, its files always say
  const words = part['use_regex'] === false ? undefined : split(gpt2Words, 'Isolated');
  return function* (text, isFirst) {
    const begun = addsSpace && !text.startsWith(' ') ? ` ${text}` : text;
    for (const word of words?.(begun, isFirst) ?? [begun]) yield leavesBytes ? word : toByteCharacters(word);
  };
}

function metaspace(part: Part): Cut {
  const mark = stringIn(part, 'replacement', '\u2581');
  // Files from before there was a scheme say add_prefix_space.
  const scheme = part['prepend_scheme'] ?? (part['add_prefix_space'] === false ? 'never' : 'always');
  const words = part['split'] === false ? undefined : split(literalPattern(mark), 'MergedWithNext');
  return (text, isFirst) => {
    const marked = text.replaceAll(' ', mark);
    const isPrefixed = scheme === 'always' || (scheme === 'first' && isFirst);
    const begun = isPrefixed && !marked.startsWith(mark) ? mark + marked : marked;
    return words?.(begun, isFirst) ?? [begun];
  };
}

function fixedLength(part: Part): Cut {
  const length = Number(part['length'] ?? 5);
  if (!Number.isInteger(length) || length < 1)
    throw new FormatError('"length" of its FixedLength is not 1 or more');
  return split(pattern(`[^]{1,${length}}`), 'Isolated');
}

const behaviors = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'] as const;
type Behavior = (typeof behaviors)[number];

function readBehavior(value: unknown): Behavior {
  const name = String(value).replaceAll('_', '').toLowerCase();
  const behavior = behaviors.find((known) => known.toLowerCase() === name);
  if (!behavior) throw new FormatError(`its behavior ${JSON.stringify(value)} is not known`);
  return behavior;
}

/**
 * Cuts at a pattern's matches as the Rust library's NormalizedString::split does.
 * @param isInverted what matches and what lies between change places
 */
function split(delimiter: Pattern, behavior: Behavior, isInverted = false): Cut {
  if (behavior === 'Isolated') return (text) => pieces(text, delimiter);
  return (text) => joined(text, delimiter, behavior, isInverted);
}

/** Every match, and what lies between, in order. */
function* pieces(text: string, delimiter: Pattern): Iterable<string> {
  for (const piece of boundaries(text, delimiter)) yield text.slice(piece.start, piece.stop);
}

interface Piece {
  start: number;
  stop: number;
  isMatch: boolean;
}

/** Every match and every gap, as places; the one object that is yielded changes with each. */
function* boundaries(text: string, { search, sticky }: Pattern): Iterable<Piece> {
  const piece: Piece = { start: 0, stop: 0, isMatch: false };
  let place = 0;
  while (place < text.length) {
    // Most patterns match at every place, and a test at one place is cheaper than a search for the next.
    sticky.lastIndex = place;
    if (sticky.test(text) && sticky.lastIndex > place) {
      piece.start = place;
      piece.stop = place = sticky.lastIndex;
      piece.isMatch = true;
      yield piece;
      continue;
    }
    const found = next(text, search, place);
    const stop = found?.index ?? text.length;
    piece.start = place;
    piece.stop = place = stop;
    piece.isMatch = false;
    yield piece;
    if (!found) return;
    if (found[0] === '') continue; // only a place to cut
    piece.start = stop;
    piece.stop = place = stop + found[0].length;
    piece.isMatch = true;
    yield piece;
  }
}

/** The first match after `place`, if no match with characters in it begins there. */
function next(text: string, search: RegExp, place: number): RegExpExecArray | null {
  search.lastIndex = place + (text.codePointAt(place)! > 0xffff ? 2 : 1);
  return search.exec(text);
}

function* joined(
  text: string,
  delimiter: Pattern,
  behavior: Behavior,
  isInverted: boolean,
): Iterable<string> {
  let start = 0;
  let stop = 0;
  let isMatch = false;
  let isHeld = false;
  for (const piece of boundaries(text, delimiter)) {
    const isDelimiter = piece.isMatch !== isInverted;
    if (behavior === 'Removed') {
      if (!isDelimiter) yield text.slice(piece.start, piece.stop);
      continue;
    }
    const goesOn =
      isHeld &&
      (behavior === 'Contiguous'
        ? isDelimiter === isMatch
        : behavior === 'MergedWithPrevious'
          ? isDelimiter && !isMatch
          : isMatch && !isDelimiter);
    if (isHeld && !goesOn) yield text.slice(start, stop);
    if (!goesOn) start = piece.start;
    stop = piece.stop;
    isMatch = isDelimiter;
    isHeld = true;
  }
  if (isHeld) yield text.slice(start, stop);
}
