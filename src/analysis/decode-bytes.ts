/** What windows-1252 has from 80 to 9f (the WHATWG's index): Node 20 and 22 decode these as controls. */
const FROM_80 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * Decodes bytes as an encoding of the WHATWG's list, without a byte order mark at the start.
 * @returns undefined if they are not valid in it
 */
export function decodeBytes(bytes: Uint8Array, label: string): string | undefined {
  let text: string;
  const decoder = new TextDecoder(label, { fatal: true });
  try {
    text = decoder.decode(bytes);
  } catch {
    return undefined;
  }
  if (decoder.encoding !== 'windows-1252') return text;
  return text.replace(/[\u0080-\u009f]/g, (control) => FROM_80[control.charCodeAt(0) - 0x80]!);
}
