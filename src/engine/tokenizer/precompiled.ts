import { FormatError } from '../errors.ts';

const LEAF = 1 << 8;
/** Bytes of the longest grapheme that is looked up as a whole. */
const MAX_WHOLE = 5;
/** Runs in which every character is a grapheme by itself: its neighbours are ASCII, too. */
const PLAIN_RUN = /(?<=^|[\x20-\x7e])[\x20-\x7e]+(?=[\x20-\x7e])/g;
const KEPT = 2 ** 16;

/**
 * SentencePiece's normalization, which tokenizer.json holds as it is: a double-array trie of UTF-8 strings (darts-clone)
 * and the texts that they become. As the Rust library spm_precompiled reads it: by graphemes, a whole one if it is short,
 * else by characters, and by the shortest string of the trie that one begins with.
 * @param charsmap in Base64
 * @returns what changes a text
 * @throws FormatError if it is not such a map
 */
export function precompiledNormalizer(charsmap: string): (text: string) => string {
  const { trie, texts } = readMap(charsmap);
  if (trie.length === 0) return (text) => text;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });
  const kept = new Map<string, string>();

  const lookUp = (bytes: Uint8Array): string | undefined => {
    const start = shortestPrefix(trie, bytes);
    if (start === undefined) return undefined;
    const stop = texts.indexOf(0, start);
    return decoder.decode(texts.subarray(start, stop < 0 ? texts.length : stop));
  };
  const change = (grapheme: string): string => {
    const bytes = encoder.encode(grapheme);
    const whole = bytes.length <= MAX_WHOLE ? lookUp(bytes) : undefined;
    if (whole !== undefined) return whole;
    return Array.from(grapheme, (character) => lookUp(encoder.encode(character)) ?? character).join('');
  };
  const changeKept = (grapheme: string): string => {
    const known = kept.get(grapheme);
    if (known !== undefined) return known;
    const changed = change(grapheme);
    if (kept.size >= KEPT) kept.clear();
    kept.set(grapheme, changed);
    return changed;
  };
  const changeAll = (text: string): string =>
    text === '' ? '' : Array.from(segmenter.segment(text), ({ segment }) => changeKept(segment)).join('');
  const ascii = Array.from({ length: 0x80 }, (_, code) => change(String.fromCharCode(code)));
  const isPlain = ascii
    .slice(0x20, 0x7f)
    .every((changed, code) => changed === String.fromCharCode(0x20 + code));

  return (text) => {
    const pieces: string[] = [];
    let start = 0;
    for (const { 0: run, index } of text.matchAll(PLAIN_RUN)) {
      pieces.push(changeAll(text.slice(start, index)));
      pieces.push(isPlain ? run : Array.from(run, (one) => ascii[one.charCodeAt(0)]!).join(''));
      start = index + run.length;
    }
    pieces.push(changeAll(text.slice(start)));
    return pieces.join('');
  };
}

function readMap(charsmap: string): { trie: Uint32Array; texts: Uint8Array } {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(charsmap), (character) => character.charCodeAt(0));
  } catch {
    throw new FormatError('its precompiled_charsmap is not Base64');
  }
  if (bytes.length === 0) return { trie: new Uint32Array(0), texts: bytes };
  const view = new DataView(bytes.buffer);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : Infinity;
  if (size % 4 !== 0 || 4 + size > bytes.length)
    throw new FormatError('its precompiled_charsmap is cut short');
  const trie = Uint32Array.from({ length: size / 4 }, (_, at) => view.getUint32(4 + 4 * at, true));
  return { trie, texts: bytes.subarray(4 + size) };
}

/** The value of the shortest string in the trie that the bytes begin with; undefined if there is none. */
function shortestPrefix(trie: Uint32Array, bytes: Uint8Array): number | undefined {
  let place = offsetOf(trie[0]!);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    place ^= byte;
    const unit = trie[place];
    // The highest bit marks values, which are not labels.
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    place ^= offsetOf(unit);
    if ((unit & LEAF) !== 0) return (trie[place] ?? 0) & 0x7fffffff;
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
