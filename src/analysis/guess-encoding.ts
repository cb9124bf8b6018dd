import { decodeBytes } from './decode-bytes.ts';

/** An encoding that texts come in, and how to recognise one. */
interface Candidate {
  /** Its name for iconv. */
  readonly iconv: string;
  /** Its name for TextDecoder, if that is another. */
  readonly label?: string;
  /** The characters beyond ASCII that its texts are made of, where they stand as they do in words. */
  readonly usual: RegExp;
  /** Characters that every text of this language has, and the maximum number of other characters for each of them. */
  readonly frequent?: readonly [characters: RegExp, others: number];
  /** Characters that texts of these languages do not have. */
  readonly never?: RegExp;
}

const MARKS = String.raw`(?<![a-z])§|[\u00a0«»‘’“”„–—…¡¿°£€©]`;
/** Accented letters mostly stand alone, except in Finnish, German, Portuguese and Icelandic. */
const LATIN = new RegExp(
  String.raw`(?<![À-ÿ])(?:([äöõü])\1|[äöü]ß|éé|ç[ãõ]|[áéíóúýæöðþ]{2,3}|[ß-öø-ÿœšž])(?![À-ÿ])|(?<![a-z])[À-ÖØ-ÞŒŠŽ](?=[a-z])|${MARKS}`,
  'g',
);
/** Letters of different languages: encodings that are similar to Latin-1 have them in place of other letters. */
const MIXED = /ø[^]*[ìù]|[ìù][^]*ø|õ[^]*û|û[^]*õ|è[^]*[ðžš]|[ðžš][^]*è|[üç][^]*[ýþð]|[ýþð][^]*[üç]/;
const EASTERN = new RegExp(
  String.raw`(?<![À-ž])[áâäéëíîóôöúüýßąćęłńśźżčďěňřšťůžľĺŕőűăţşđ]{1,3}(?![À-ž])|(?<![a-z])[ÁÂÉÍÎÓÖÚÜÝĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽĽŐŰŞŢĐ](?=[a-z])|${MARKS}`,
  'g',
);
const BALTIC = new RegExp(
  String.raw`(?<![À-ž])[ąčęėįšųūžāēģīķļņ]{1,3}(?![À-ž])|[ĄČĘĖĮŠŲŪŽĀĒĢĪĶĻŅ](?=[a-z])|${MARKS}`,
  'g',
);
const TURKISH = new RegExp(
  String.raw`(?<![À-ž])[çğıöşüâîû]{1,3}(?![À-ž])|[ÇĞİÖŞÜ](?=[a-zıçğöşü])|${MARKS}`,
  'g',
);
const GREEK = /(?<=[α-ωάέήίόύώ])[α-ωάέήίόύώ]|[Α-Ωα-ωάέήίόύώΆΈΉΊΌΎΏ](?=[α-ωάέήίόύώ])|[«»‘’“”–—·]/g;
/** Five letters have another form at the end of a word. */
const HEBREW = /(?<=[א-ת])[אבגדהוזחטיכלמנסעפצקרשת]|(?<=[א-ת])[ךםןףץ](?![א-ת])|[א-ת](?=[א-ת])/g;
const ARABIC = /(?<=[\u0621-\u0652])[\u060c\u061b\u061f\u0621-\u0652]|[\u0621-\u064a](?=[\u0621-\u0652])/g;
/** Vowels and tones stand at consonants (U+0E01 to U+0E2E): above and below them, before or after. */
const THAI =
  // eslint-disable-next-line no-misleading-character-class -- marks are what is meant
  /(?<=[\u0e01-\u0e4e])[\u0e01-\u0e2e\u0e2f\u0e30\u0e32\u0e33\u0e46\u0e50-\u0e59]|[\u0e01-\u0e2e](?=[\u0e01-\u0e4e])|(?<=[\u0e01-\u0e2e\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[\u0e40-\u0e44](?=[\u0e01-\u0e2e])/g;
/** Words of one letter are few. */
const CYRILLIC =
  /(?<=[а-яёіїєґ])[а-яёіїєґ]|[А-ЯЁІЇЄҐа-яёіїєґ](?=[а-яёіїєґ])|(?<![А-яё])[авикосуязїАВИКОСУЯЗ](?![А-яё])|[«»„“”–—№]/g;
const HAN = /[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]/g;
const KANA = [/[\u3041-\u30f6]/g, 8] as const;
const CHINESE = [/[，。的一是不了在有我]/g, 30] as const;
const HANGUL = /[\uac00-\ud7a3]/g;

/** If several fit equally well, the first is taken. What has controls from 80 to 9f comes before its extension. */
const CANDIDATES: readonly Candidate[] = [
  { iconv: 'ISO-8859-8', usual: HEBREW, frequent: [/[וי]/g, 30] },
  { iconv: 'WINDOWS-1255', usual: HEBREW, frequent: [/[וי]/g, 30] },
  { iconv: 'ISO-8859-6', usual: ARABIC, frequent: [/[ال]/g, 30] },
  { iconv: 'WINDOWS-1256', usual: ARABIC, frequent: [/[ال]/g, 30] },
  { iconv: 'ISO-8859-7', usual: GREEK, frequent: [/[αο]/g, 30] },
  { iconv: 'WINDOWS-1253', usual: GREEK, frequent: [/[αο]/g, 30] },
  { iconv: 'EUC-JP', usual: HAN, frequent: KANA },
  { iconv: 'SHIFT_JIS', usual: HAN, frequent: KANA },
  { iconv: 'EUC-KR', usual: HANGUL },
  { iconv: 'WINDOWS-1254', usual: TURKISH, frequent: [/[ğış]/g, 30] },
  { iconv: 'WINDOWS-1252', usual: LATIN, never: MIXED },
  { iconv: 'WINDOWS-1257', usual: BALTIC, frequent: [/[ąčęėįšųūžāēģīķļņ]/g, 8] },
  { iconv: 'ISO-8859-2', usual: EASTERN },
  { iconv: 'WINDOWS-1250', usual: EASTERN },
  { iconv: 'MACINTOSH', usual: LATIN, never: MIXED },
  { iconv: 'CP850', usual: LATIN, never: MIXED },
  { iconv: 'WINDOWS-1251', usual: CYRILLIC },
  { iconv: 'KOI8-R', usual: CYRILLIC },
  { iconv: 'KOI8-U', usual: CYRILLIC },
  { iconv: 'CP866', label: 'ibm866', usual: CYRILLIC },
  { iconv: 'ISO-8859-5', usual: CYRILLIC },
  { iconv: 'GB18030', usual: HAN, frequent: CHINESE },
  { iconv: 'BIG5', usual: HAN, frequent: CHINESE },
  ...['UTF-16LE', 'UTF-16BE'].flatMap((iconv) => [
    { iconv, usual: HAN, frequent: KANA },
    { iconv, usual: HAN, frequent: CHINESE },
  ]),
  { iconv: 'TIS-620', label: 'windows-874', usual: THAI },
];

/** CP850 from 80 on (Unicode's CP850.TXT): TextDecoder does not know it. Its letters are CP437's, too. */
const CP850 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u00ad±‗¾¶§÷¸°¨·¹³²■\u00a0';

// eslint-disable-next-line no-control-regex -- they are what is meant
const CONTROLS = /[\u0000-\u0008\u000e-\u0019\u001c-\u001f\u007f-\u009f]/;

const SAMPLE_BYTES = 65_536;

/**
 * Guesses which encoding a text is in that is not UTF-8: the one whose decoding has the largest share of usual characters
 * among those beyond ASCII.
 * @returns the name that iconv knows it by; its conversion takes these bytes
 */
export function guessEncoding(bytes: Uint8Array): string {
  const end =
    bytes.length > SAMPLE_BYTES ? bytes.lastIndexOf(0x0a, SAMPLE_BYTES) + 1 || SAMPLE_BYTES : bytes.length;
  let best = { iconv: 'LATIN1', share: 0 };
  for (const { iconv, label = iconv, usual, frequent, never } of CANDIDATES) {
    const text = decode(bytes.subarray(0, end), label.toLowerCase());
    // A control stands for a byte that the encoding does not use, and iconv would stop there. Files of DOS end with 1A.
    if (text === undefined || CONTROLS.test(text) || never?.test(text)) continue;
    const count = (pattern: RegExp) => text.match(pattern)?.join('').length ?? 0;
    const beyond = count(/[^\p{ASCII}]/gu);
    if (frequent && count(frequent[0]) * frequent[1] < beyond) continue;
    const share = count(usual) / Math.max(1, beyond);
    if (share > best.share) best = { iconv, share };
  }
  // The two are the same for texts without bytes from 80 to 9f, and every iconv knows latin1.
  const isLatin1 = best.iconv === 'WINDOWS-1252' && !bytes.some((byte) => byte >= 0x80 && byte < 0xa0);
  return isLatin1 ? 'LATIN1' : best.iconv;
}

function decode(bytes: Uint8Array, label: string): string | undefined {
  if (label !== 'cp850') return decodeBytes(bytes, label);
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP850[byte - 0x80]!)).join(
    '',
  );
}
