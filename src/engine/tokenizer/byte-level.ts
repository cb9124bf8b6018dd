/**
 * GPT-2's alphabet (Radford et al. 2019, encoder.py): each of the 256 bytes stands as a printable character. Bytes that
 * are printable in Latin-1 stand for themselves, the others for U+0100 on, in order.
 */
const characters: readonly string[] = (() => {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  let other = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : other++));
})();

const bytes = new Map(characters.map((character, byte) => [character, byte]));

const units = Uint16Array.from(characters, (character) => character.charCodeAt(0));

const encoder = new TextEncoder();
/** Makes one flat string; every machine with a GPU puts the low byte first. */
const utf16 = new TextDecoder('utf-16le');

/** A text's UTF-8 bytes, each as its character of the alphabet. */
export function toByteCharacters(text: string): string {
  return utf16.decode(Uint16Array.from(encoder.encode(text), (byte) => units[byte]!));
}

/** The bytes that a token stands for: its characters' if all are of the alphabet, else its own UTF-8. */
export function bytesOfToken(token: string): Uint8Array {
  const result = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index += 1) {
    const byte = bytes.get(token[index]!);
    if (byte === undefined) return encoder.encode(token);
    result[index] = byte;
  }
  return result;
}

/** The tokens <0x41> of a text's bytes; undefined if the vocabulary lacks one of them. */
export function byteTokens(text: string, vocabulary: ReadonlyMap<string, number>): number[] | undefined {
  const ids: number[] = [];
  for (const byte of encoder.encode(text)) {
    const id = vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    if (id === undefined) return undefined;
    ids.push(id);
  }
  return ids;
}
