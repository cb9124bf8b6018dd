/** What a file really is that was taken for weights or an array. */
export interface ForeignFile {
  readonly kind: 'torch' | 'pickle' | 'zip' | 'hdf5' | 'gguf' | 'gzip' | 'html' | 'json' | 'lfs';
  /** With its article, e.g. 'a Python pickle'. */
  readonly what: string;
}

/** How many of a file's first bytes tell its kind. */
export const FOREIGN_BYTES = 128;

/**
 * How pickles begin, by protocol: 2 to 5 with its number; 0 and 1 with their first operations, which are a global, an
 * empty container or a mark before one, a number or a string with its place in the memo.
 * https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
const PICKLES: readonly RegExp[] = [
  // eslint-disable-next-line no-control-regex -- the protocol's number
  /^\x80[\x02-\x05]/,
  /^\(*c[A-Za-z_][\w.]*\r?\n[A-Za-z_]\w*\r?\n/,
  /^\(+[ldt]p0\r?\n/,
  // eslint-disable-next-line no-control-regex -- places in the memo
  /^\(*[\]})]q\x00/,
  /^\(*[IFL][-+\d.eE]+L?\r?\n[.IFLtp(]/,
  /^\(*[VS][^\n]*\r?\np0\r?\n/,
  /^\(+(?:K.|M..|J.{4}|G.{8}|X.{3}\x00)[^\n]*(?:tq|[KMJGX])/s, // eslint-disable-line no-control-regex
];

/** torch.save's older format: a pickle of 0x1950a86a20f9469cfc6c comes first, in protocol 2 or 0. */
const LEGACY_TORCH = [
  '\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19',
  'L119547037146038801333356L\n',
];

const MAGICS: readonly (readonly [begins: string, kind: ForeignFile['kind'], what: string])[] = [
  ['PK\x03\x04', 'zip', 'a zip archive, as PyTorch saves its files'],
  ['\x89HDF\r\n\x1a\n', 'hdf5', 'an HDF5 file'],
  ['GGUF', 'gguf', 'a GGUF checkpoint'],
  ['\x1f\x8b', 'gzip', 'a gzip archive'],
  ['version https://git-lfs', 'lfs', 'a Git LFS pointer'],
];

/**
 * What a file is, by its first bytes; undefined if they do not tell.
 * @param start at least FOREIGN_BYTES of them, or all that there are
 */
export function foreignFile(start: Uint8Array): ForeignFile | undefined {
  const text = String.fromCharCode(...start.subarray(0, FOREIGN_BYTES));
  if (LEGACY_TORCH.some((begins) => text.startsWith(begins)))
    return { kind: 'torch', what: 'a PyTorch file' };
  const magic = MAGICS.find(([begins]) => text.startsWith(begins));
  if (magic) return { kind: magic[1], what: magic[2] };
  if (PICKLES.some((pattern) => pattern.test(text))) return { kind: 'pickle', what: 'a Python pickle' };
  const shown = text.replace(/^\xef\xbb\xbf/, '').trimStart();
  if (/^<(!doctype|html|head|\?xml)/i.test(shown)) return { kind: 'html', what: 'a web page' };
  if (/^\{\s*"/.test(shown)) return { kind: 'json', what: 'JSON text' };
  return undefined;
}
