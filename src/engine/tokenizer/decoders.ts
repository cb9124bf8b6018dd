import { FormatError } from '../errors.ts';
import { bytesOfToken } from './byte-level.ts';
import { listOfParts, readPart, stringIn } from './json.ts';
import type { Part } from './json.ts';
import { patternOf } from './patterns.ts';
import type { PatternCompiler } from './patterns.ts';

/** Turns tokens into pieces of text; joined, they are the text. */
export type Decoder = (tokens: readonly string[]) => readonly string[];

/** Bytes that are not UTF-8 become U+FFFD, as in Rust's from_utf8_lossy; a byte order mark stays. */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The decoder of tokenizer.json; null joins tokens by spaces.
 * @param keepsSpace keep a text's first space: the tokens are shown one by one
 * @throws FormatError if it is of an unknown kind
 */
export function createDecoder(value: unknown, compile: PatternCompiler, keepsSpace = false): Decoder {
  if (value === null || value === undefined)
    return (tokens) => tokens.map((token, index) => (index === 0 ? token : ` ${token}`));
  return fromPart(readPart(value, '"decoder"'), compile, keepsSpace);
}

function fromPart(part: Part, compile: PatternCompiler, keepsSpace: boolean): Decoder {
  switch (part.type) {
    case 'Sequence': {
      const steps = listOfParts(part, 'decoders').map((step) => fromPart(step, compile, keepsSpace));
      return (tokens) => steps.reduce((pieces, step) => step(pieces), tokens);
    }
    case 'ByteLevel':
      return (tokens) => [utf8.decode(concatenate(tokens.map(bytesOfToken)))];
    case 'ByteFallback':
      return byteFallback;
    case 'Fuse':
      return (tokens) => [tokens.join('')];
    case 'Replace': {
      const { search } = patternOf(part, compile);
      const content = stringIn(part, 'content', '');
      return (tokens) => tokens.map((token) => token.replace(search, () => content));
    }
    case 'Strip':
      return keepsSpace ? (tokens) => tokens : strip(part);
    case 'Metaspace':
      return metaspace(part, keepsSpace);
    case 'WordPiece':
      return wordPiece(part);
    case 'BPEDecoder': {
      const suffix = stringIn(part, 'suffix', '</w>');
      return (tokens) =>
        tokens.map((token, index) => token.replaceAll(suffix, index === tokens.length - 1 ? '' : ' '));
    }
    default:
      throw new FormatError(`its decoder ${part.type} is not known`);
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Runs of <0x41> become their text; each byte of a run that is not UTF-8 becomes U+FFFD. */
function byteFallback(tokens: readonly string[]): string[] {
  const pieces: string[] = [];
  let run: number[] = [];
  const settle = () => {
    if (run.length === 0) return;
    try {
      const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
      pieces.push(strict.decode(Uint8Array.from(run)));
    } catch {
      pieces.push(...run.map(() => '\uFFFD'));
    }
    run = [];
  };
  for (const token of tokens) {
    const [, digits] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? [];
    if (digits !== undefined) {
      run.push(Number.parseInt(digits, 16));
      continue;
    }
    settle();
    pieces.push(token);
  }
  settle();
  return pieces;
}

function strip(part: Part): Decoder {
  const content = stringIn(part, 'content', ' ');
  const start = Number(part['start'] ?? 0);
  const stop = Number(part['stop'] ?? 0);
  return (tokens) =>
    tokens.map((token) => {
      let from = 0;
      let to = token.length;
      while (from < start && token.startsWith(content, from)) from += 1;
      while (token.length - to < stop && to > from && token[to - 1] === content) to -= 1;
      return token.slice(from, to);
    });
}

function metaspace(part: Part, keepsSpace: boolean): Decoder {
  const mark = stringIn(part, 'replacement', '\u2581');
  const isPrefixed = (part['prepend_scheme'] ?? 'always') !== 'never' && part['add_prefix_space'] !== false;
  return (tokens) =>
    tokens.map((token, index) => {
      // From the first token the Rust library removes every mark.
      return token.replaceAll(mark, index === 0 && isPrefixed && !keepsSpace ? '' : ' ');
    });
}

function wordPiece(part: Part): Decoder {
  const prefix = stringIn(part, 'prefix', '##');
  const cleansUp = part['cleanup'] !== false;
  return (tokens) =>
    tokens.map((token, index) => {
      const isContinued = index > 0 && prefix !== '' && token.startsWith(prefix);
      const text = index === 0 ? token : isContinued ? token.slice(prefix.length) : ` ${token}`;
      return cleansUp ? cleanUp(text) : text;
    });
}

function cleanUp(text: string): string {
  return text
    .replace(/ ([.?!,])/g, '$1')
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(' do not', " don't")
    .replace(/ ('(?:m|s|ve|re))/g, '$1');
}
