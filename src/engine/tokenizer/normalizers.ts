import { FormatError } from '../errors.ts';
import { toByteCharacters } from './byte-level.ts';
import { listOfParts, readPart, stringIn } from './json.ts';
import type { Part } from './json.ts';
import { patternOf } from './patterns.ts';
import type { PatternCompiler } from './patterns.ts';
import { precompiledNormalizer } from './precompiled.ts';

/** Changes a text before it is cut into words. */
export type Normalizer = (text: string) => string;

/**
 * The normalizer of tokenizer.json; null changes nothing.
 * @throws FormatError if it is of an unknown kind
 */
export function createNormalizer(value: unknown, compile: PatternCompiler): Normalizer {
  if (value === null || value === undefined) return (text) => text;
  return fromPart(readPart(value, '"normalizer"'), compile);
}

function fromPart(part: Part, compile: PatternCompiler): Normalizer {
  switch (part.type) {
    case 'Sequence': {
      const steps = listOfParts(part, 'normalizers').map((step) => fromPart(step, compile));
      return (text) => steps.reduce((changed, step) => step(changed), text);
    }
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD': {
      const form = part.type;
      return (text) => text.normalize(form);
    }
    case 'Lowercase':
      return lowercase;
    case 'Strip':
      return strip(part['strip_left'] !== false, part['strip_right'] !== false);
    case 'StripAccents':
      return (text) => text.replace(/\p{M}/gu, '');
    case 'Prepend': {
      const prefix = stringIn(part, 'prepend', '');
      return (text) => (text === '' ? '' : prefix + text);
    }
    case 'Replace': {
      const { search } = patternOf(part, compile);
      const content = stringIn(part, 'content', '');
      return (text) => text.replace(search, () => content); // a "$" in it is a dollar
    }
    case 'ByteLevel':
      return toByteCharacters;
    case 'BertNormalizer':
      return bert(part);
    case 'Nmt':
      return nmt;
    case 'Precompiled':
      return precompiledNormalizer(stringIn(part, 'precompiled_charsmap', ''));
    default:
      throw new FormatError(`its normalizer ${part.type} is not known`);
  }
}

/** Each character by itself, as Rust's char::to_lowercase: a capital sigma at a word's end is like any other. */
function lowercase(text: string): string {
  return text.replaceAll('Σ', 'σ').toLowerCase();
}

function strip(left: boolean, right: boolean): Normalizer {
  const start = left ? /^\p{White_Space}+/u : undefined;
  return (text) => {
    const begun = start ? text.replace(start, '') : text;
    let end = begun.length;
    // By hand: a pattern with $ tries every run of spaces in the text.
    while (right && end > 0 && /\p{White_Space}/u.test(begun[end - 1]!)) end -= 1;
    return begun.slice(0, end);
  };
}

/** What the library for neural machine translation does to control characters and spaces. */
function nmt(text: string): string {
  return (
    text
      // eslint-disable-next-line no-control-regex
      .replace(/[\u0001-\u0008\u000B\u000E-\u001F\u007F\u008F\u009F]/g, '')
      .replace(/[\t\n\f\r\u1680\u200B-\u200F\u2028\u2029\u2581\uFEFF\uFFFD]/g, ' ')
  );
}

const chineseCharacters =
  /[\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu;

/** BERT's basic tokenizer (Devlin et al. 2018), as the Rust library has it. */
function bert(part: Part): Normalizer {
  const isLower = part['lowercase'] !== false;
  const stripsAccents = (part['strip_accents'] ?? isLower) === true;
  return (text) => {
    let changed = text;
    if (part['clean_text'] !== false)
      changed = changed
        .replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\uFFFD]/gu, '')
        .replace(/\p{White_Space}/gu, ' ');
    if (part['handle_chinese_chars'] !== false) changed = changed.replace(chineseCharacters, ' $& ');
    if (stripsAccents) changed = changed.normalize('NFD').replace(/\p{Mn}/gu, '');
    return isLower ? lowercase(changed) : changed;
  };
}
