import { foreignFile } from '../../engine/foreign-files.ts';

/** What a file is instead of an array, and what to do about it. */
export interface ForeignKind {
  /** With its article, e.g. 'a PDF document'. */
  readonly what: string;
  readonly advice: string;
}

/** How many of a file's first bytes tell its kind. */
export const SNIFFED_BYTES = 4096;

const torchAdvice =
  "save it with safetensors.torch.save_file({'states': tensor}, 'states.safetensors'), tensor being what torch.load gives";
const pickleAdvice = "open it in Python and save the array with numpy.save('states.npy', array)";
const decompress = 'decompress it first';
const notAnArray = "save the array with numpy.save('states.npy', array)";

/** A PyTorch file, of either format. */
export const torchKind: ForeignKind = { what: 'a PyTorch file', advice: torchAdvice };

/** What other zip archives are, by a name within. */
const zipKinds: readonly (readonly [name: RegExp, kind: ForeignKind])[] = [
  [/(^|\/)data\.pkl$/, torchKind],
  [
    /^xl\/workbook\.xml$/,
    {
      what: 'an Excel workbook',
      advice: "save it with numpy.save('states.npy', pandas.read_excel(path, header=None).to_numpy())",
    },
  ],
  [
    /(^|\/)(\.zarray|zarr\.json)$/,
    { what: 'a zipped Zarr array', advice: "save it with numpy.save('states.npy', zarr.open(path)[...])" },
  ],
];

/** Kinds of files that begin with these bytes, written as latin-1 text. */
const magics: readonly (readonly [magic: string, kind: ForeignKind])[] = [
  [
    '\x89HDF\r\n\x1a\n',
    {
      what: 'an HDF5 file',
      advice: "save a dataset with numpy.save('states.npy', h5py.File(path)['NAME'][()])",
    },
  ],
  [
    'MATLAB 7.3 MAT-file',
    {
      what: 'a MATLAB 7.3 file',
      advice: "save a variable with numpy.save('states.npy', h5py.File(path)['NAME'][()].T)",
    },
  ],
  [
    'MATLAB 5.0 MAT-file',
    {
      what: 'a MATLAB file',
      advice: "save a variable with numpy.save('states.npy', scipy.io.loadmat(path)['NAME'])",
    },
  ],
  [
    'PAR1',
    {
      what: 'a Parquet file',
      advice: "save it with numpy.save('states.npy', pandas.read_parquet(path).to_numpy())",
    },
  ],
  [
    'ARROW1',
    {
      what: 'an Arrow file',
      advice: "save it with numpy.save('states.npy', pandas.read_feather(path).to_numpy())",
    },
  ],
  [
    'FEA1',
    {
      what: 'a Feather file',
      advice: "save it with numpy.save('states.npy', pandas.read_feather(path).to_numpy())",
    },
  ],
  [
    'GGUF',
    {
      what: 'a GGUF checkpoint',
      advice: 'Laminar measures activations: give the safetensors checkpoint to laminar profile',
    },
  ],
  ['\x1f\x8b', { what: 'a gzip archive', advice: decompress }],
  ['BZh', { what: 'a bzip2 archive', advice: decompress }],
  ['\xfd7zXZ\0', { what: 'an xz archive', advice: decompress }],
  ['\x28\xb5\x2f\xfd', { what: 'a Zstandard archive', advice: decompress }],
  ['7z\xbc\xaf\x27\x1c', { what: 'a 7-Zip archive', advice: decompress }],
  ['%PDF-', { what: 'a PDF document', advice: notAnArray }],
  ['\x89PNG\r\n\x1a\n', { what: 'a PNG picture', advice: notAnArray }],
  ['\xff\xd8\xff', { what: 'a JPEG picture', advice: notAnArray }],
  ['GIF8', { what: 'a GIF picture', advice: notAnArray }],
  ['SQLite format 3\0', { what: 'an SQLite database', advice: notAnArray }],
  [
    'version https://git-lfs',
    {
      what: 'a Git LFS pointer',
      advice: 'run `git lfs pull` in its folder to get the file itself',
    },
  ],
];

/** Whether a file begins as a zip archive does, an empty one too. */
export function beginsAsZip(start: Uint8Array): boolean {
  const four = latin1(start.subarray(0, 4));
  return four === 'PK\x03\x04' || four === 'PK\x05\x06';
}

/** Whether a file begins as a safetensors file does: the length of a header of less than 4 GiB, and its brace. */
export function beginsAsSafetensors(start: Uint8Array): boolean {
  return start.length > 8 && start.subarray(4, 8).every((byte) => byte === 0) && start[8] === 0x7b;
}

/**
 * What a file is that holds no array Laminar reads, by its first bytes; undefined if they do not tell.
 * @param start the file's first SNIFFED_BYTES, or all of it
 */
export function foreignKind(start: Uint8Array): ForeignKind | undefined {
  if (start.length === 0) return { what: 'an empty file', advice: 'save or download it again' };
  const text = latin1(start);
  const known = magics.find(([magic]) => text.startsWith(magic));
  if (known) return known[1];
  const foreign = foreignFile(start);
  if (foreign?.kind === 'torch') return torchKind;
  if (foreign?.kind === 'pickle') return { what: foreign.what, advice: pickleAdvice };
  return textKind(start);
}

/** What a zip archive is that holds no .npy file, by the names within. */
export function foreignZip(names: readonly string[], path: string): ForeignKind {
  for (const [name, kind] of zipKinds) if (names.some((entry) => name.test(entry))) return kind;
  return isTorchPath(path) ? torchKind : { what: 'a zip archive without .npy files', advice: notAnArray };
}

/** Whether a file's name is one that people give to PyTorch files. */
export function isTorchPath(path: string): boolean {
  return /\.(pt|pth|ckpt)$/i.test(path);
}

function textKind(start: Uint8Array): ForeignKind | undefined {
  const text = decodeText(start);
  if (text === undefined) return undefined;
  const line = /^[^\r\n]*/.exec(text.trimStart())![0];
  if (/^<(!doctype|html|\?xml)/i.test(line)) {
    return { what: 'a web page', advice: 'download the file itself' };
  }
  if (/^[[{]/.test(line)) {
    return {
      what: 'JSON text',
      advice: "save the array with numpy.save('states.npy', numpy.array(json.load(open(path))))",
    };
  }
  const delimiter = [',', '\t', ';'].find((character) => line.includes(character));
  const fields = line.split(delimiter ?? /\s+/);
  const isNumbers = fields.every((field) => field.trim() !== '' && !Number.isNaN(Number(field)));
  if (delimiter === undefined && !isNumbers) return { what: 'text', advice: notAnArray };
  const options = [
    ...(delimiter === undefined ? [] : [`delimiter='${delimiter === '\t' ? '\\t' : delimiter}'`]),
    ...(isNumbers ? [] : ['skiprows=1']),
  ];
  return {
    what: 'text',
    advice: `save its numbers with numpy.save('states.npy', numpy.loadtxt(${['path', ...options].join(', ')}))`,
  };
}

/** UTF-8 or UTF-16 text without control characters; undefined for anything else. A last character may be cut off. */
function decodeText(start: Uint8Array): string | undefined {
  const isWide = (start[0] === 0xff && start[1] === 0xfe) || (start[0] === 0xfe && start[1] === 0xff);
  const encoding = !isWide ? 'utf-8' : start[0] === 0xff ? 'utf-16le' : 'utf-16be';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(start, { stream: true });
    // eslint-disable-next-line no-control-regex -- control characters are what tells a binary file
    return /[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
