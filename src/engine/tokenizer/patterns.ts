import { FormatError } from '../errors.ts';
import type { Part } from './json.ts';

/** A pattern that can be looked for from any place of a text. */
export interface Pattern {
  /** Finds the next match from `lastIndex` on. */
  readonly search: RegExp;
  /** Matches at `lastIndex` or not at all. */
  readonly sticky: RegExp;
}

/** Turns the source of a pattern, as tokenizer.json has it, into one of JavaScript's. */
export type PatternCompiler = (source: string) => Pattern;

/** @param source in JavaScript's syntax, for the flag u */
export function pattern(source: string): Pattern {
  return { search: new RegExp(source, 'gu'), sticky: new RegExp(source, 'uy') };
}

/** A pattern for the characters themselves. */
export function literalPattern(text: string): Pattern {
  return pattern(text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'));
}

/**
 * The pattern of a part: {"String": …} or {"Regex": …}.
 * @throws FormatError if it has neither
 */
export function patternOf(part: Part, compile: PatternCompiler): Pattern {
  const value = Object(part['pattern']) as Record<string, unknown>;
  if (typeof value['String'] === 'string') return literalPattern(value['String']);
  if (typeof value['Regex'] === 'string') return compile(value['Regex']);
  throw new FormatError(`its ${part.type} has no pattern`);
}

/**
 * A compiler of the patterns that the Rust library hands to Oniguruma. The code that translates them is loaded only if
 * the tokenizer has any: GPT-2's and GPT-NeoX's have none.
 */
export async function loadPatternCompiler(tokenizer: unknown): Promise<PatternCompiler> {
  if (patternSources(tokenizer).length === 0) return pattern;
  const { toRegExp } = await import('oniguruma-to-es');
  return (source) => {
    const rewritten = rewritePattern(source);
    try {
      if (/\\G/.test(source)) throw new SyntaxError('\\G is not supported');
      const search = toRegExp(rewritten, { target: 'ES2024', global: true });
      return { search, sticky: new RegExp(search.source, search.flags.replace('g', 'y')) };
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FormatError(`its pattern ${JSON.stringify(source)} is not understood (${reason})`, { cause });
    }
  };
}

/** The patterns that a tokenizer brings with it. */
function patternSources(tokenizer: unknown): string[] {
  const sources: string[] = [];
  JSON.stringify(tokenizer, (key, value: unknown) => {
    if (key === 'Regex' && typeof value === 'string') sources.push(value);
    return key === 'vocab' || key === 'merges' ? undefined : value;
  });
  return sources;
}

/** A class, an escape, or a group that is repeated without a small bound. */
const REPEATED_GROUP = /\\[^]|\[\^?\]?(?:\\[^]|[^\]\\])*\]|(\)(?:[*+]|\{\d*,\}|\{\d*,?\d{2,}\}))/g;

/**
 * Whether matching one of a tokenizer's own patterns may take time that grows exponentially: only patterns that repeat
 * a group can, such as (a+)+. Published tokenizers have none.
 */
export function mayBacktrack(tokenizer: unknown): boolean {
  return patternSources(tokenizer).some((source) =>
    [...source.matchAll(REPEATED_GROUP)].some(([, repeated]) => repeated !== undefined),
  );
}

/** Oniguruma's word characters in a class: Alphabetic, M, Nd, Pc. Alone, \w has some of Latin-1's numbers, too. */
const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}`;
const WORD_ALONE = String.raw`${WORD}\u00B2\u00B3\u00B9\u00BC-\u00BE`;
const IS_WORD = `[${WORD_ALONE}]`;
const aloneRewrites = new Map([
  [String.raw`\w`, IS_WORD],
  [String.raw`\W`, `[^${WORD_ALONE}]`],
  [String.raw`\b`, `(?:(?<!${IS_WORD})(?=${IS_WORD})|(?<=${IS_WORD})(?!${IS_WORD}))`],
  [String.raw`\B`, `(?:(?<!${IS_WORD})(?!${IS_WORD})|(?<=${IS_WORD})(?=${IS_WORD}))`],
]);
const classRewrites = new Map([
  [String.raw`\w`, `[${WORD}]`],
  [String.raw`\W`, `[^${WORD}]`],
]);

/**
 * Rewrites, in Oniguruma's own syntax, what the translation would get wrong: \w, \W, \b and \B, which it takes for
 * other characters, and simple groups (?i:…). For these it would make the whole pattern ignore case. Then the combining
 * iota below (U+0345), which is not a letter, would count as one.
 */
export function rewritePattern(source: string): string {
  let result = '';
  let depth = 0; // of classes, which nest
  const unfolded = source.replace(/\(\?i:((?:[^()\\[\]-]|\[[^()\\[\]^-]*\])*)\)/g, (_, body: string) => {
    let isInClass = false;
    const folded = body.replace(/[[\]a-z]/gi, (character) => {
      if (character === '[' || character === ']') {
        isInClass = character === '[';
        return character;
      }
      const cases = bothCases(character);
      return isInClass ? cases : `[${cases}]`;
    });
    return `(?:${folded})`;
  });
  for (const [piece] of unfolded.matchAll(/\\[^]|\[\^?\]?|[^]/g)) {
    if (piece.startsWith('[')) depth += 1;
    else if (piece === ']' && depth > 0) depth -= 1;
    result += (depth > 0 ? classRewrites : aloneRewrites).get(piece) ?? piece;
  }
  return result;
}

/** The characters that Unicode treats as an ASCII letter when case is ignored, such as the long s and the Kelvin sign. */
function bothCases(letter: string): string {
  const lower = letter.toLowerCase();
  const others = lower === 's' ? '\u017F' : lower === 'k' ? '\u212A' : '';
  return `${lower}${lower.toUpperCase()}${others}`;
}
