import { budgets } from '../../engine/budgets.ts';
import { FormatError } from '../../engine/errors.ts';
import { listNames } from '../../engine/message.ts';
import type { ByteSource } from '../../engine/files.ts';
import { numpyElements } from './elements.ts';
import type { ElementType } from './elements.ts';
import { parsePythonLiteral, PythonTuple } from './python-literal.ts';
import type { PythonValue } from './python-literal.ts';

/** What a .npy file says of its array. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** What the elements are; a reason and advice where they cannot be measured. */
  readonly elements: ElementType | { readonly problem: string };
  readonly fortranOrder: boolean;
  /** Bytes before the first element. */
  readonly offset: number;
}

/** \x93NUMPY */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const PREAMBLE_BYTES = 12;
const KEYS = ['descr', 'fortran_order', 'shape'] as const;

/** Whether a file begins as a .npy file does, whatever its name. */
export function beginsAsNpy(start: Uint8Array): boolean {
  return MAGIC.every((byte, index) => start[index] === byte);
}

/**
 * Reads the header of a .npy file, as strictly as numpy does, and checks it against the file's size. Format versions 1
 * to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 * @throws FormatError naming the file if it is truncated or malformed.
 */
export async function readNpyHeader(source: ByteSource): Promise<NpyHeader> {
  const { text, offset } = await readPreamble(source);
  const { descr, fortranOrder, shape } = parseHeader(text, source.name);
  const elements = elementsOf(descr);
  if (!('problem' in elements)) {
    const count = shape.includes(0) ? 0 : shape.reduce((product, extent) => product * extent, 1);
    const end = offset + count * elements.bytes;
    if (!Number.isSafeInteger(end) || end > source.size) {
      throw truncated(source, { shape, elements, fortranOrder, offset }, end);
    }
    if (end < source.size) {
      throw FormatError.at(
        source.name,
        `has ${source.size - end} bytes after its array; save one array per file, or several with numpy.savez`,
      );
    }
  }
  return { shape, elements, fortranOrder, offset };
}

/** For an array in C order, the rows that are there can be kept. */
function truncated(
  { name, size }: ByteSource,
  { shape, elements, fortranOrder, offset }: NpyHeader & { readonly elements: ElementType },
  end: number,
): FormatError {
  const [, ...row] = shape;
  const each = row.reduce((product, extent) => product * extent, elements.bytes);
  const whole = Math.floor((size - offset) / each);
  const count = (whole * each) / elements.bytes;
  const keep =
    fortranOrder || shape.length < 2 || whole < 1
      ? ''
      : `, or keep what is there with numpy.save('states.npy', numpy.fromfile(path, '${elements.name}', ${count}, offset=${offset}).reshape(${[whole, ...row].join(', ')}))`;
  return FormatError.at(
    name,
    `is truncated (its shape [${shape.join(', ')}] asks for ${end} bytes, the file has ${size}); save or copy it again${keep}`,
  );
}

async function readPreamble(source: ByteSource): Promise<{ text: string; offset: number }> {
  const preamble = await source.read(0, Math.min(PREAMBLE_BYTES, source.size));
  if (!beginsAsNpy(preamble)) {
    throw FormatError.at(source.name, 'is not a .npy file; save the array with numpy.save');
  }
  if (preamble.length < PREAMBLE_BYTES) throw FormatError.at(source.name, 'is truncated within its header');
  const [version, minor] = [preamble[6]!, preamble[7]!];
  if (version < 1 || version > 3 || minor !== 0) {
    throw FormatError.at(
      source.name,
      `is .npy format ${version}.${minor}; 1.0, 2.0 and 3.0 can be read; save it again with numpy.save`,
    );
  }
  const view = new DataView(preamble.buffer);
  const start = version === 1 ? 10 : 12;
  const bytes = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (bytes > budgets.npyHeader) {
    throw FormatError.at(source.name, `its .npy header claims ${bytes} bytes; the file is damaged`);
  }
  if (start + bytes > source.size) throw FormatError.at(source.name, 'is truncated within its header');
  const header = await source.read(start, bytes);
  try {
    const encoding = version === 3 ? 'utf-8' : 'latin1';
    return { text: new TextDecoder(encoding, { fatal: true }).decode(header), offset: start + bytes };
  } catch {
    throw FormatError.at(source.name, 'its .npy header is not UTF-8; the file is damaged');
  }
}

interface ParsedHeader {
  readonly descr: PythonValue;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/** The header is a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
function parseHeader(text: string, name: string): ParsedHeader {
  const damaged = (problem: string) =>
    FormatError.at(name, `its .npy header cannot be read: ${problem}; the file is damaged`);
  let header: PythonValue;
  try {
    header = parsePythonLiteral(text);
  } catch (error) {
    throw error instanceof SyntaxError ? damaged(error.message) : error;
  }
  if (!(header instanceof Map)) throw damaged('it is not a dict');
  const fields = header as ReadonlyMap<string, PythonValue>;
  const missing = KEYS.find((key) => !fields.has(key));
  if (missing !== undefined) throw damaged(`it lacks the key '${missing}'`);
  if (fields.size > KEYS.length) throw damaged(`its keys are ${listNames([...fields.keys()].map(String))}`);
  const fortranOrder = fields.get('fortran_order');
  if (typeof fortranOrder !== 'boolean') throw damaged('fortran_order is not True or False');
  const shape = fields.get('shape');
  if (!(shape instanceof PythonTuple)) throw damaged('shape is not a tuple');
  const extents = shape.items.map((extent) => {
    if (typeof extent !== 'bigint' || extent < 0n)
      throw damaged('shape holds more than whole numbers from 0');
    if (extent > BigInt(Number.MAX_SAFE_INTEGER)) throw damaged(`shape has the impossible extent ${extent}`);
    return Number(extent);
  });
  return { descr: fields.get('descr')!, fortranOrder, shape: extents };
}

/** Types that cannot be measured, by numpy's letter for the kind, and what saves numbers instead. */
const otherKinds: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  c: ['complex numbers', 'save one part with numpy.save(path, array.real), or numpy.abs(array)'],
  O: ['Python objects', 'save its matrices with numpy.savez(path, *array)'],
  S: ['byte strings', "save numbers with numpy.save(path, array.astype('f4'))"],
  a: ['byte strings', "save numbers with numpy.save(path, array.astype('f4'))"],
  U: ['strings', "save numbers with numpy.save(path, array.astype('f4'))"],
  V: ['raw bytes, as numpy saves bfloat16', "save it with numpy.save(path, array.astype('f4'))"],
  M: ['dates', "save numbers with numpy.save(path, array.astype('i8'))"],
  m: ['time spans', "save numbers with numpy.save(path, array.astype('i8'))"],
  f: ['floats of more than 64 bits', "save it with numpy.save(path, array.astype('f8'))"],
};

function elementsOf(descr: PythonValue): NpyHeader['elements'] {
  if (typeof descr !== 'string') {
    return {
      problem: "holds a structured array; save one of its fields with numpy.save(path, array['FIELD'])",
    };
  }
  const elements = numpyElements(descr);
  if (elements) return elements;
  const kind = /^[<>=|]?([a-zA-Z])\d*/.exec(descr)?.[1];
  const [what, advice] = otherKinds[kind ?? ''] ?? [
    'an unknown type',
    "save it with numpy.save(path, array.astype('f4'))",
  ];
  return { problem: `holds ${what} (${descr}); ${advice}` };
}
