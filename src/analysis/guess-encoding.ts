import { decodeBytes } from './decode-bytes.ts';

/** An encoding that texts come in, and how to recognise one. */
interface Candidate {
  /** Its name for TextDecoder. */
  readonly label: string;
  /** Its name for iconv. */
  readonly iconv: string;
  /** The characters beyond ASCII that its texts are made of, where they stand as they do in words. */
  readonly usual: RegExp;
  /** Characters that no text of this language is without: one in thirty at least. */
  readonly frequent?: RegExp;
}

const LATIN = /(?<![À-ÿ])[ß-öø-ÿœšž](?![À-ÿ])|[À-ÖØ-ÞŒŠŽ](?=[a-z])|[\u00a0«»‘’“”–—…¡¿°§£€©]/g;
const CYRILLIC = /(?<=[а-яё])[а-яё]|[а-яё](?=[а-яё])/g;
const HAN = /[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]/g;
const KANA = /[\u3041-\u30f6]/g;
const CHINESE = /[，。的一是不了在有我]/g;

/** If several fit equally well, the first is taken. */
const CANDIDATES: readonly Candidate[] = [
  { label: 'euc-jp', iconv: 'EUC-JP', usual: HAN, frequent: KANA },
  { label: 'shift_jis', iconv: 'SHIFT_JIS', usual: HAN, frequent: KANA },
  { label: 'euc-kr', iconv: 'EUC-KR', usual: /[\uac00-\ud7a3]/g },
  { label: 'windows-1252', iconv: 'WINDOWS-1252', usual: LATIN },
  { label: 'macintosh', iconv: 'MACINTOSH', usual: LATIN },
  { label: 'windows-1251', iconv: 'WINDOWS-1251', usual: CYRILLIC },
  { label: 'koi8-r', iconv: 'KOI8-R', usual: CYRILLIC },
  { label: 'gb18030', iconv: 'GB18030', usual: HAN, frequent: CHINESE },
  { label: 'big5', iconv: 'BIG5', usual: HAN, frequent: CHINESE },
];

const SAMPLE_BYTES = 65_536;

/**
 * Guesses which encoding other than Unicode's a text is in: the one whose decoding has the largest share of usual
 * characters among those beyond ASCII.
 * @returns the name that iconv knows it by; its conversion takes these bytes
 */
export function guessEncoding(bytes: Uint8Array): string {
  const end =
    bytes.length > SAMPLE_BYTES ? bytes.lastIndexOf(0x0a, SAMPLE_BYTES) + 1 || SAMPLE_BYTES : bytes.length;
  let best = { iconv: 'LATIN1', share: 0 };
  for (const { label, iconv, usual, frequent } of CANDIDATES) {
    const text = decodeBytes(bytes.subarray(0, end), label);
    // C1 controls stand where an encoding has nothing; iconv would stop there.
    if (text === undefined || /[\u0080-\u009f]/.test(text)) continue;
    const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
    const beyond = count(/[^\p{ASCII}]/gu);
    if (frequent && count(frequent) * 30 < beyond) continue;
    const share = count(usual) / Math.max(1, beyond);
    if (share > best.share) best = { iconv, share };
  }
  // The two agree on what has no byte from 80 to 9f, and every iconv knows latin1.
  const isLatin1 = best.iconv === 'WINDOWS-1252' && !bytes.some((byte) => byte >= 0x80 && byte < 0xa0);
  return isLatin1 ? 'LATIN1' : best.iconv;
}
