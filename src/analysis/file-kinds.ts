/** A kind of file that is taken for a text, how it begins, and how to get a text out of it. */
interface FileKind {
  /** Its first bytes, as Latin-1. */
  readonly begins: string;
  /** What else its first bytes contain. */
  readonly holds?: RegExp;
  readonly kind: string;
  /** @param file the file's name as a shell takes it */
  readonly remedy: (file: string) => string;
}

/** How much of a file is looked at. */
const HEAD_BYTES = 4096;

const saveAsText = () => 'save it as plain text (UTF-8)';
const giveText = () => 'give a plain text';
const by = (tool: string) => (file: string) => `get the text out of it, for example with ${tool} ${file}`;

/** If two begin alike, the more special one comes first. */
const KINDS: readonly FileKind[] = [
  { begins: '%PDF-', kind: 'a PDF', remedy: by('pdftotext') },
  {
    begins: 'PK\x03\x04',
    holds: /mimetypeapplication\/epub/,
    kind: 'an EPUB book',
    remedy: by('pandoc -t plain'),
  },
  {
    begins: 'PK\x03\x04',
    holds: /word\/|\[Content_Types\]|mimetypeapplication\/vnd/,
    kind: 'an office document',
    remedy: saveAsText,
  },
  { begins: 'PK\x03\x04', kind: 'a zip archive', remedy: by('unzip') },
  { begins: 'PK\x05\x06', kind: 'an empty zip archive', remedy: giveText },
  { begins: '\x1f\x8b', kind: 'compressed by gzip', remedy: by('gunzip -k') },
  { begins: 'BZh', holds: /^BZh[1-9]1AY/, kind: 'compressed by bzip2', remedy: by('bunzip2 -k') },
  { begins: '\xfd7zXZ', kind: 'compressed by xz', remedy: by('unxz -k') },
  { begins: '\x28\xb5\x2f\xfd', kind: 'compressed by zstd', remedy: by('unzstd') },
  { begins: '7z\xbc\xaf', kind: 'a 7z archive', remedy: by('7z x') },
  { begins: 'Rar!\x1a', kind: 'a rar archive', remedy: by('unrar x') },
  { begins: '\xd0\xcf\x11\xe0\xa1\xb1', kind: 'an office document', remedy: saveAsText },
  { begins: '{\\rtf', kind: 'rich text (RTF)', remedy: saveAsText },
  { begins: '', holds: /^.{60}(BOOKMOBI|TEXtREAd)/s, kind: 'an e-book', remedy: saveAsText },
  { begins: '\x89PNG', kind: 'an image', remedy: giveText },
  { begins: '\xff\xd8\xff', kind: 'an image', remedy: giveText },
  { begins: 'GIF8', holds: /^GIF8[79]a/, kind: 'an image', remedy: giveText },
  { begins: 'RIFF', holds: /^RIFF.{4}(WEBP|WAVE|AVI )/s, kind: 'an image or a recording', remedy: giveText },
  { begins: '\x80', holds: /^\x80[\x02-\x05]/, kind: 'a Python pickle', remedy: saveAsText }, // eslint-disable-line no-control-regex
  {
    begins: '\x93NUMPY',
    kind: 'a NumPy array',
    remedy: () => 'give a plain text, or of token ids array.tolist()',
  },
  { begins: '\x7fELF', kind: 'a program', remedy: giveText },
];

/** What a file is that is not a text, and what to do; undefined if it may be one. */
export function otherKind(bytes: Uint8Array): Pick<FileKind, 'kind' | 'remedy'> | undefined {
  const head = Array.from(bytes.subarray(0, HEAD_BYTES), (byte) => String.fromCharCode(byte)).join('');
  return KINDS.find(({ begins, holds }) => head.startsWith(begins) && (holds?.test(head) ?? true));
}
