import { describe, expect, test } from 'vitest';
import { decodeBytes } from '../../src/analysis/decode-bytes.ts';
import { decodeText, textNotice } from '../../src/analysis/decode-text.ts';
import { FormatError } from '../../src/engine/errors.ts';

const TEXT = 'Alice was beginning\r\nto get very tired: “naïve” café, 猫 and 🐈.\n';
const utf8 = (text: string) => new TextEncoder().encode(text);
const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

function utf16(text: string, littleEndian: boolean, mark = ''): Uint8Array {
  const view = new DataView(new ArrayBuffer(2 * (mark + text).length));
  [...Array(view.byteLength / 2).keys()].forEach((at) => {
    view.setUint16(2 * at, (mark + text).charCodeAt(at), littleEndian);
  });
  return new Uint8Array(view.buffer);
}

/** Encodes by turning a decoder around, for encodings of one or two bytes a character. */
function encode(text: string, label: string): Uint8Array {
  const decodeOne = (...bytes: number[]) => decodeBytes(Uint8Array.from(bytes), label) ?? '';
  const codes = new Map<string, number[]>();
  const isDouble = /jis|euc|gb/i.test(label);
  for (let first = 0xff; first >= 0; first--) {
    for (let second = 0xfe; isDouble && second >= 0x40 && first > 0x80; second--) {
      const found = decodeOne(first, second);
      if (found.length === 1) codes.set(found, [first, second]);
    }
    const single = decodeOne(first);
    if (single.length === 1) codes.set(single, [first]);
  }
  return Uint8Array.from([...text].flatMap((character) => codes.get(character) ?? [0x3f]));
}

function refusal(bytes: Uint8Array, source = 'some.txt', charset?: string): string {
  try {
    decodeText(bytes, { source, charset });
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).not.toMatch(/\n/);
    return (error as Error).message;
  }
  throw new Error('was not refused');
}

describe('a text is decoded', () => {
  test.each([
    ['UTF-8', utf8(TEXT), undefined],
    ['UTF-8 with a mark', utf8(`\ufeff${TEXT}`), undefined],
    ['UTF-8 with a mark, whatever is declared', utf8(`\ufeff${TEXT}`), 'latin1'],
    ['UTF-8, declared so', utf8(TEXT), 'UTF-8'],
    ['UTF-8, declared as something unknown', utf8(TEXT), 'x-unknown'],
    ['UTF-16 LE with a mark', utf16(TEXT, true, '\ufeff'), undefined],
    ['UTF-16 BE with a mark', utf16(TEXT, false, '\ufeff'), undefined],
    ['UTF-16 LE', utf16(TEXT, true), undefined],
    ['UTF-16 BE', utf16(TEXT, false), undefined],
    ['UTF-16 LE, declared so', utf16(TEXT, true), 'utf-16le'],
  ])('%s', (_name, bytes, charset) => {
    expect(decodeText(bytes, { source: 'a', charset })).toBe(TEXT);
  });

  test('UTF-16 of other scripts, by its line breaks', () => {
    const text = `${'我是猫，还没有名字。'.repeat(12)}\r\n`.repeat(3);
    const others = [
      'Все люди рождаются свободными. Это так.\n',
      'มนุษย์ทั้งหลายเกิดมามีอิสระ\n',
      '🙂 ok\n',
      '一只猫，一只狗。\n',
    ];
    for (const order of [true, false]) {
      for (const each of [text, ...others]) {
        expect(decodeText(utf16(each, order), { source: 'a' })).toBe(each);
      }
    }
  });

  test.each([
    ['iso-8859-1', 'Où est le café?'],
    ['windows-1251', 'Алиса'],
    ['Shift_JIS', 'アリス'],
  ])('as a server declared it: %s', (charset, text) => {
    expect(decodeText(encode(text, charset), { source: 'https://a/b', charset })).toBe(text);
  });

  test('a mark within the text, and a character on the border of a block, stay', () => {
    const text = `${'a'.repeat(65_535)}é\ufeffb`;
    expect(decodeText(utf8(text), { source: 'a' })).toBe(text);
  });
});

describe('another encoding is refused with a command that converts it', () => {
  test.each([
    ['windows-1252', 'LATIN1', 'Elle était là, à côté du café, et naïve. '],
    ['windows-1252', 'WINDOWS-1252', '“You’re enough”, said the Crab – “naïve” café… '],
    ['macintosh', 'MACINTOSH', '“You’re enough”, said the Crab – “naïve” café… '],
    ['windows-1251', 'WINDOWS-1251', 'Алиса начала скучать, сидя с сестрой на берегу реки. '],
    ['koi8-r', 'KOI8-R', 'Алиса начала скучать, сидя с сестрой на берегу реки. '],
    ['ibm866', 'CP866', 'Алиса начала скучать, сидя с сестрой на берегу реки. '],
    ['windows-1251', 'WINDOWS-1251', 'Всі люди народжуються вільними і рівними у своїй гідності. '],
    ['iso-8859-2', 'ISO-8859-2', 'Wszyscy ludzie rodzą się wolni i równi pod względem swej godności. '],
    ['windows-1250', 'WINDOWS-1250', 'Všichni lidé rodí se svobodní, co se týče důstojnosti; kůň žlutý. '],
    ['windows-1250', 'ISO-8859-2', 'Minden emberi lény egyenlő méltósága és joga van, az űrhajó. '],
    ['windows-1257', 'WINDOWS-1257', 'Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis, sąžinė. '],
    ['windows-1254', 'WINDOWS-1254', 'Bütün insanlar haysiyet ve haklar bakımından eşit doğarlar. '],
    ['windows-1252', 'LATIN1', 'Hver maður er borinn frjáls og jafn öðrum að réttindum. Það þýðir. '],
    ['windows-1252', 'LATIN1', 'São dotados de razão e consciência; ações. Kõik sünnivad väärikad. '],
    ['windows-1253', 'ISO-8859-7', 'Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι. '],
    ['windows-1255', 'ISO-8859-8', 'כל בני האדם נולדו בני חורין ושווים בערכם. '],
    ['windows-1256', 'WINDOWS-1256', 'يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. '],
    ['windows-874', 'TIS-620', 'มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกัน '],
    ['shift_jis', 'SHIFT_JIS', 'アリスは川べりでお姉さんのよこにすわって、なんにもすることがない。'],
    ['euc-jp', 'EUC-JP', 'アリスは川べりでお姉さんのよこにすわって、なんにもすることがない。'],
    ['euc-kr', 'EUC-KR', '앨리스는 강둑에서 언니 옆에 앉아 있는 것이 지루해지기 시작했다. '],
    ['gbk', 'GB18030', '爱丽丝靠着姐姐坐在河岸边很久了，由于没有什么事情可做，她开始感到厌倦。'],
  ])('%s: iconv -f %s', (label, iconv, text) => {
    const bytes = encode(text.repeat(3), label);
    expect(refusal(bytes)).toMatch(
      new RegExp(
        `^some.txt: is not UTF-8 text \\(byte \\d+ breaks it\\), perhaps ${iconv}; convert it, for example with iconv -f ${iconv} -t UTF-8 some.txt > some.txt.utf8$`,
      ),
    );
  });

  test('of DOS, and UTF-16 without a line break', () => {
    expect(refusal(ascii('\x9aber den W\x94lken, s\x81\xe1e \x8epfel'))).toMatch(/iconv -f CP850 -t UTF-8/);
    for (const order of [true, false]) {
      expect(refusal(utf16('吾輩は猫である。名前はまだ無い。', order))).toMatch(
        `iconv -f UTF-16${order ? 'L' : 'B'}E -t UTF-8`,
      );
    }
  });

  test('whatever the file is called, and wherever it lies', () => {
    const bytes = ascii('caf\xe9 \xe9t\xe9');
    expect(refusal(bytes, "it's mine.txt")).toMatch(
      /iconv -f LATIN1 -t UTF-8 'it'\\''s mine.txt' > 'it'\\''s mine.txt.utf8'$/,
    );
    expect(refusal(bytes, '-f')).toMatch(/-t UTF-8 \.\/-f > \.\/-f\.utf8$/);
    expect(refusal(bytes, 'https://a.org/b?c=d&e')).toMatch(
      /curl -L 'https:\/\/a.org\/b\?c=d&e' \| iconv -f LATIN1 -t UTF-8 > text.txt$/,
    );
  });

  test('the byte is named, far into the text, too', () => {
    const bytes = utf8(`${'é'.repeat(100_001)}x`);
    bytes[200_002] = 0xe9;
    expect(refusal(bytes)).toMatch(/byte 200002 breaks it/);
    expect(refusal(ascii('caf\xe9'))).toMatch(/byte 3 breaks/);
    expect(refusal(ascii('\xe9a'))).toMatch(/byte 0 breaks/);
  });

  test('UTF-32 and broken UTF-16 are named', () => {
    const japanese = Uint8Array.from('\x1b$B8cGZ\x1b(B', (character) => character.charCodeAt(0));
    expect(refusal(japanese)).toMatch(/is not UTF-8 text but ISO-2022-JP; .*iconv -f ISO-2022-JP -t UTF-8/);
    expect(refusal(Uint8Array.of(0xff, 0xfe, 0, 0, 0x41, 0, 0, 0))).toMatch(/iconv -f UTF-32 -t UTF-8/);
    expect(refusal(Uint8Array.of(0xff, 0xfe, 0x41))).toMatch(/not valid UTF-16/);
    expect(refusal(Uint8Array.of(0xff, 0xfe, 0x00, 0xd8, 0x41, 0))).toMatch(/not valid UTF-16/);
  });

  test('a wrong declaration is named', () => {
    expect(refusal(ascii('caf\xe9 noir'), 'https://a/b', 'utf-8')).toMatch(/is not UTF-8 text/);
    expect(refusal(ascii('\xff\xff'), 'https://a/b', 'euc-kr')).toMatch(/not valid euc-kr.*declared/);
  });
});

describe('files that are not texts are refused by kind', () => {
  test.each([
    ['%PDF-1.7\n%\xe2\xe3', /is a PDF, not a text; .*pdftotext some.txt$/],
    ['PK\x03\x04\x14\0mimetypeapplication/epub+zip', /an EPUB book/],
    ['PK\x03\x04\x14\0\x06\0[Content_Types].xml', /an office document.*save it as plain text/],
    ['PK\x03\x04\x14\0a.txt', /a zip archive.*unzip some.txt/],
    ['\x1f\x8b\x08\0', /compressed by gzip.*gunzip -k some.txt/],
    ['BZh91AY&SY', /bzip2/],
    ['\xfd7zXZ\0', /xz/],
    ['\x28\xb5\x2f\xfd', /zstd/],
    ['\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1', /office document/],
    ['{\\rtf1\\ansi', /RTF/],
    ['\x89PNG\r\n\x1a\n', /an image/],
    ['\x7fELF\x02', /a program/],
    [`${'\0'.repeat(60)}BOOKMOBI`, /an e-book/],
    ['\0\x01\x02\xff\xfe\xfd', /a binary file/],
    ['text with one\0 in it', /holds a NUL character \(at 13\)/],
  ])('%j', (begin, message) => {
    expect(refusal(ascii(begin))).toMatch(message);
  });

  test('from an address are downloaded first', () => {
    expect(refusal(ascii('\x1f\x8b\x08\0'), 'https://a.org/b/alice.txt.gz?x=1')).toMatch(
      /; download it and get the text out of it, for example with gunzip -k alice\.txt\.gz$/,
    );
  });

  test('words that begin like them are texts', () => {
    for (const text of ['PKs are fun', 'BZh is no word', 'RIFFRAFF', 'GIF8 or 9', '7z', 'MZ']) {
      expect(decodeText(utf8(text), { source: 'a' })).toBe(text);
    }
  });
});

describe('an HTML page', () => {
  const page = (title: string) => `<!DOCTYPE html>\n<html><head><title>${title}</title></head><body>x</body>`;

  test('is a text that is told of', () => {
    const text = page('Alice in Wonderland');
    expect(decodeText(utf8(text), { source: 'a.html' })).toBe(text);
    expect(textNotice(text, { source: 'a.html' })).toMatch(/^a.html is an HTML page: its tags/);
    expect(textNotice('In <html> the tags', { source: 'a' })).toBeUndefined();
  });

  test.each([
    '403 Forbidden',
    'Error 404 (Not Found)!!1',
    '502 Bad Gateway',
    'Just a moment...',
    'Access Denied',
  ])('that a server sends for an error is refused: %s', (title) => {
    expect(refusal(utf8(page(title)), 'page.html')).toMatch(/^page.html: is a page titled .*download/);
  });

  test.each(['4000 years of history', 'The Forbidden Forest', '500th anniversary'])(
    'about something alike is not: %s',
    (title) => {
      expect(decodeText(utf8(page(title)), { source: 'a' })).toContain(title);
    },
  );
});

test('windows-1252 has its quotes where Node has controls', () => {
  const bytes = Uint8Array.of(0x93, 0x80, 0x85, 0x94, 0x81, 0xe9);
  for (const label of ['windows-1252', 'iso-8859-1', 'ascii'])
    expect(decodeBytes(bytes, label)).toBe('“€…”\x81é');
});

test('a declaration that UTF-8 bytes contradict is told of', () => {
  const origin = { source: 'https://a/b', charset: 'iso-8859-1' };
  expect(textNotice(decodeText(utf8('café “naïve”'), origin), origin)).toMatch(/looks like UTF-8/);
  expect(textNotice(decodeText(ascii('caf\xe9'), origin), origin)).toBeUndefined();
});
