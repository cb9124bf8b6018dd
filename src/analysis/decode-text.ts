import { FormatError } from '../engine/errors.ts';
import { decodeBytes } from './decode-bytes.ts';
import { otherKind } from './file-kinds.ts';
import { guessEncoding } from './guess-encoding.ts';

/** What is known of a text besides its bytes. */
export interface TextOrigin {
  /** A file's path, a URL, or other words for it. */
  readonly source: string;
  /** The encoding that a server declared. */
  readonly charset?: string | undefined;
}

/** Characters of a text in which the first tag of a page stands. */
const HEAD_LENGTH = 4096;
/** Bytes that are looked at or decoded in one piece. */
const BLOCK_BYTES = 65_536;

/**
 * Decodes a text: by its byte order mark (which is not part of the text), else as its server declared, else as UTF-8, or
 * UTF-16 where that can be told.
 * @throws FormatError if the bytes are another kind of file, a server's error page, or in another encoding
 */
export function decodeText(bytes: Uint8Array, { source, charset }: TextOrigin): string {
  const other = otherKind(bytes);
  if (other) {
    const file = isAddress(source) ? source.replace(/[?#].*$/s, '').replace(/^.*\//s, '') || 'FILE' : source;
    const remedy = `${isAddress(source) ? 'download it and ' : ''}${other.remedy(shellWord(file))}`;
    throw FormatError.at(source, `is ${other.kind}, not a text; ${remedy}`);
  }
  const text = decodeOrExplain(bytes, source, charset);
  const title = htmlTitle(text);
  if (title !== undefined && ERROR_TITLE.test(title)) {
    throw FormatError.at(
      source,
      `is a page titled ${JSON.stringify(title)}, which a server sent in place of a text; download the text again`,
    );
  }
  return text;
}

/** What the user should know of a text that can be used anyway; undefined for most. */
export function textNotice(text: string, { source, charset }: TextOrigin): string | undefined {
  if (isHtml(text)) {
    return `${source} is an HTML page: its tags and scripts are part of the text; give plain text to leave them out`;
  }
  if (charset !== undefined && !isUnicode(charset) && /[ÃÂâ][\u0080-¿€‚-„†-•‹›™šœžŸ]/.test(text)) {
    return `${source} was declared as ${charset} but looks like UTF-8; if it is UTF-8, download it and give the file`;
  }
  return undefined;
}

function decodeOrExplain(bytes: Uint8Array, source: string, charset: string | undefined): string {
  const marked = encodingByMark(bytes);
  const label = marked ?? knownLabel(charset) ?? encodingByNulls(bytes) ?? 'utf-8';
  const text = label === 'utf-32' ? undefined : decodeBytes(bytes, label);
  if (text !== undefined) {
    const nul = text.indexOf('\0');
    if (nul === -1) {
      refuseEscapes(text, source);
      return text;
    }
    throw FormatError.at(
      source,
      `holds a NUL character (at ${nul}), so that it is not a text; give a text in UTF-8`,
    );
  }
  if (label.startsWith('utf-16')) {
    throw FormatError.at(source, 'begins as UTF-16 and is not valid UTF-16; save it again as UTF-8');
  }
  if (label !== 'utf-8' && label !== 'utf-32') {
    throw FormatError.at(
      source,
      `is not valid ${label}, as which it was declared; download it and convert it to UTF-8`,
    );
  }
  if (bytes.includes(0) && label === 'utf-8') {
    throw FormatError.at(source, 'is a binary file, not a text; give a text in UTF-8');
  }
  const guess = label === 'utf-32' ? 'UTF-32' : guessEncoding(bytes);
  const invalid = label === 'utf-32' ? '' : ` (byte ${firstInvalid(bytes)} breaks it)`;
  throw FormatError.at(
    source,
    `is not UTF-8 text${invalid}, perhaps ${guess}; convert it, for example with ${conversion(source, guess)}`,
  );
}

function conversion(source: string, encoding: string): string {
  return isAddress(source)
    ? `curl -L ${shellWord(source)} | iconv -f ${encoding} -t UTF-8 > text.txt`
    : `iconv -f ${encoding} -t UTF-8 ${shellWord(source)} > ${shellWord(`${source}.utf8`)}`;
}

/** Japanese and Korean in seven bits, which look like UTF-8 to a computer: ISO-2022's escapes change what letters mean. */
function refuseEscapes(text: string, source: string): void {
  // eslint-disable-next-line no-control-regex -- the escape
  const escape = /\x1b\$(?:[@B]|\(D|\)C)/.exec(text)?.[0];
  if (escape === undefined) return;
  const name = escape.endsWith('C') ? 'ISO-2022-KR' : 'ISO-2022-JP';
  throw FormatError.at(
    source,
    `is not UTF-8 text but ${name}; convert it, for example with ${conversion(source, name)}`,
  );
}

function encodingByMark(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return 'utf-8';
  if ((a === 0xff && b === 0xfe && c === 0 && d === 0) || (a === 0 && b === 0 && c === 0xfe && d === 0xff))
    return 'utf-32';
  if (a === 0xff && b === 0xfe) return 'utf-16le';
  if (a === 0xfe && b === 0xff) return 'utf-16be';
  return undefined;
}

/** What 16-bit units make of a text, read in one order of bytes. */
interface Units {
  readonly label: string;
  /** Characters of ASCII and Latin-1, spaces and line breaks among them. */
  blanks: number;
  /** Those of alphabets: below U+2000. */
  letters: number;
  /** Those of scripts that many texts are in, punctuation and pairs of surrogates. */
  usual: number;
}

/**
 * UTF-16 without a mark: every text has spaces or line breaks. Their other byte is zero, and it is always the same one
 * of the two. A text has no NUL.
 */
function encodingByNulls(bytes: Uint8Array): string | undefined {
  const length = Math.min(bytes.length, BLOCK_BYTES) & ~1;
  if (length < 2 || bytes.length % 2 !== 0) return undefined;
  const little = readUnits(bytes.subarray(0, length), 'utf-16le', 1);
  const big = readUnits(bytes.subarray(0, length), 'utf-16be', 0);
  const readings = [little, big].filter((units) => units !== undefined && units.blanks > 0) as Units[];
  const total = length / 2;
  const isUtf8 = decodeBytes(bytes, 'utf-8') !== undefined;
  const found = readings.find((units) => {
    const other = units === little ? big : little;
    const { blanks, letters, usual } = units;
    // Letters of alphabets share their first byte, which would be a control if it were one character of UTF-8.
    if (letters * 5 >= total * 4 && letters > (other?.letters ?? 0)) return true;
    if (isUtf8) return false;
    return (
      usual * 50 >= total * 49 && (!other || other.usual * 10 < total * 9 || other.blanks * 20 <= blanks)
    );
  });
  return found && decodeBytes(bytes, found.label) !== undefined ? found.label : undefined;
}

/**
 * @param high which byte of a unit is the first one of its number
 * @returns undefined if there is a control, which no text has
 */
function readUnits(bytes: Uint8Array, label: string, high: 0 | 1): Units | undefined {
  const units: Units = { label, blanks: 0, letters: 0, usual: 0 };
  for (let at = 0; at < bytes.length; at += 2) {
    const [first, second] = [bytes[at + high]!, bytes[at + 1 - high]!];
    if (first === 0) {
      if (second < 0x20 && (second < 0x09 || second > 0x0d)) return undefined;
      units.blanks++;
    }
    if (first < 0x20) units.letters++;
    if (
      first <= 0x33 ||
      (first >= 0x4e && first <= 0x9f) ||
      (first >= 0xac && first <= 0xdf) ||
      first === 0xff
    ) {
      units.usual++;
    }
  }
  return units;
}

/** The standard name of a declared encoding; undefined if it is not known. */
function knownLabel(charset: string | undefined): string | undefined {
  if (charset === undefined) return undefined;
  try {
    return new TextDecoder(charset.trim()).encoding;
  } catch {
    return undefined;
  }
}

function isUnicode(charset: string): boolean {
  return knownLabel(charset)?.startsWith('utf-') ?? true;
}

/** Where the first byte stands that breaks UTF-8. */
function firstInvalid(bytes: Uint8Array): number {
  let start: number;
  let end = 0;
  do {
    start = end;
    end = Math.min(bytes.length, start + BLOCK_BYTES);
    while (end < bytes.length && (bytes[end]! & 0xc0) === 0x80) end++; // characters are not cut
  } while (end < bytes.length && isValidSoFar(bytes.subarray(start, end)));
  let valid = 0;
  let broken = end - start;
  while (valid + 1 < broken) {
    const middle = (valid + broken) >> 1;
    if (isValidSoFar(bytes.subarray(start, start + middle))) valid = middle;
    else broken = middle;
  }
  // The character began before the byte that broke it.
  while (valid > 0 && decodeBytes(bytes.subarray(start, start + valid), 'utf-8') === undefined) valid--;
  return start + valid;
}

/** Whether a part is valid; a character that its end cuts is not wrong yet. */
function isValidSoFar(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** The titles of pages that servers send in place of the file that was asked for. */
const ERROR_TITLE =
  /^\W*(error\W*)?[45]\d\d\b|^\W*(error|(page )?not found|forbidden|access denied|unauthorized|bad (request|gateway)|service unavailable|just a moment|attention required|sign in|log ?in)\b/i;

function isHtml(text: string): boolean {
  return /^\s*(<\?xml[^>]*>\s*|<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b/is.test(
    text.slice(0, HEAD_LENGTH),
  );
}

function htmlTitle(text: string): string | undefined {
  if (!isHtml(text)) return undefined;
  const title = /<title[^>]*>([^<]*)/i.exec(text.slice(0, BLOCK_BYTES))?.[1];
  return title?.replace(/\s+/g, ' ').trim().slice(0, 80);
}

function isAddress(source: string): boolean {
  return /^https?:\/\//i.test(source);
}

/** A path as a shell takes it: quoted where it must be, and never for an option. */
function shellWord(path: string): string {
  const word = path.startsWith('-') ? `./${path}` : path;
  return /^[\w./:@%+,=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
