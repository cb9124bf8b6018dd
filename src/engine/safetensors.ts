import { budgets } from './budgets.ts';
import { FormatError } from './errors.ts';
import { FOREIGN_BYTES, foreignFile } from './foreign-files.ts';
import type { ByteSource } from './files.ts';
import { BAD_SHAPE, bitsOf, byteCount, damagedTensor, isIntegers } from './safetensors-tensors.ts';
import type { TensorDeclaration } from './safetensors-tensors.ts';
import { parseStrictObject, StrictJsonError } from './strict-json.ts';

/**
 * The safetensors format: 8 bytes with the header's length (little-endian), the header (JSON: name to dtype, shape and
 * byte range), then the tensors' bytes without a gap. https://github.com/huggingface/safetensors#format
 */

/** A tensor and where its bytes lie, `offset` counted from the start of the file. */
export interface TensorPlace extends TensorDeclaration {
  readonly offset: number;
  readonly bytes: number;
}

export interface SafetensorsHeader {
  /** The tensors, in the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  readonly metadata: ReadonlyMap<string, string>;
}

export interface EncodedHeader {
  /** The length field, the JSON and its padding: what the file begins with. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly tensors: ReadonlyMap<string, TensorPlace>;
  /** The size of the whole file, in bytes. */
  readonly fileSize: number;
}

const LENGTH_BYTES = 8;
/** The limit of the reference implementation: a longer one is not the length of a header. */
const MAXIMUM_HEADER_BYTES = 100_000_000;

/**
 * Reads the header of a file, and nothing else of it.
 * @throws FormatError if the file is truncated or malformed.
 */
export async function readHeader(source: ByteSource): Promise<SafetensorsHeader> {
  if (source.size < LENGTH_BYTES) {
    throw FormatError.at(
      source.name,
      `is truncated (${source.size} bytes, too short for a safetensors file); download it again`,
      { code: 'file-truncated' },
    );
  }
  const start = await source.read(0, Math.min(source.size, FOREIGN_BYTES));
  const length = headerLength(start, source.size, source.name);
  return parseHeader(await source.read(LENGTH_BYTES, length), source.size, source.name);
}

/**
 * Checks a header and places its tensors. Every dtype must be known, and every byte range as long as its shape needs. The
 * ranges must follow each other from the header's end to the file's end, without overlap or gap.
 *
 * @param json the header's bytes, without the length field
 * @param fileSize of the whole file, in bytes
 * @throws FormatError naming the file and, where there is one, the tensor.
 */
export function parseHeader(json: Uint8Array, fileSize: number, fileName: string): SafetensorsHeader {
  const dataStart = LENGTH_BYTES + json.byteLength;
  const metadata = new Map<string, string>();
  const places: TensorPlace[] = [];
  for (const [name, value] of parseJson(json, fileName)) {
    if (name === '__metadata__') readMetadata(value, metadata, fileName);
    else places.push(parseTensor(name, value, dataStart, fileName));
  }
  places.sort((a, b) => a.offset - b.offset || a.bytes - b.bytes);

  let end = dataStart;
  let previous = 'the header';
  for (const place of places) {
    if (place.offset < end) throw damagedTensor(fileName, place.name, `overlaps ${previous}`);
    if (place.offset > end) {
      throw damagedTensor(fileName, place.name, `begins ${place.offset - end} bytes after ${previous}`);
    }
    end += place.bytes;
    previous = `tensor ${place.name}`;
  }
  if (end > fileSize) {
    throw FormatError.at(
      fileName,
      `is truncated (the header describes ${end} bytes, the file has ${fileSize}); download it again`,
      { code: 'file-truncated' },
    );
  }
  if (end < fileSize) {
    throw FormatError.at(
      fileName,
      `has ${fileSize - end} bytes that belong to no tensor; the file is damaged, download it again`,
    );
  }
  return { tensors: new Map(places.map((place) => [place.name, place])), metadata };
}

/**
 * The beginning of a file that will hold the tensors. Wider dtypes come first; otherwise the given order stays. The
 * header is padded with spaces to a multiple of 8. So every element lies at a multiple of its own size.
 *
 * @throws FormatError for an unknown dtype, an impossible shape or a name given twice.
 */
export function encodeHeader(
  declarations: readonly TensorDeclaration[],
  metadata: Readonly<Record<string, string>> = {},
): EncodedHeader {
  const ordered = [...declarations].sort((a, b) => bitsOf(b, 'header') - bitsOf(a, 'header'));
  const fields: string[] = [];
  if (Object.keys(metadata).length > 0) fields.push(`"__metadata__":${JSON.stringify(metadata)}`);
  const names = new Set(['__metadata__']);
  const sizes: number[] = [];
  let end = 0;
  for (const tensor of ordered) {
    if (names.has(tensor.name))
      throw new FormatError(`header: tensor ${tensor.name} is given twice or is reserved`);
    names.add(tensor.name);
    const bytes = byteCount(tensor, 'header');
    sizes.push(bytes);
    const value = { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [end, end + bytes] };
    fields.push(`${JSON.stringify(tensor.name)}:${JSON.stringify(value)}`);
    end += bytes;
  }

  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  if (padded > MAXIMUM_HEADER_BYTES) {
    throw new FormatError(
      `header: ${padded} bytes are more than a safetensors file may have; use more files`,
    );
  }
  const bytes = new Uint8Array(LENGTH_BYTES + padded).fill(0x20, LENGTH_BYTES);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded), true);
  bytes.set(json, LENGTH_BYTES);

  const tensors = new Map<string, TensorPlace>();
  let offset = bytes.byteLength;
  for (const [index, { name, dtype, shape }] of ordered.entries()) {
    tensors.set(name, { name, dtype, shape, offset, bytes: sizes[index]! });
    offset += sizes[index]!;
  }
  return { bytes, tensors, fileSize: offset };
}

/** @param start of the file, the length field and what follows it */
function headerLength(start: Uint8Array<ArrayBuffer>, fileSize: number, fileName: string): number {
  const length = new DataView(start.buffer, start.byteOffset).getBigUint64(0, true);
  // The first bytes of old PyTorch archives make a number that could be a header's length.
  const isForeign = start[LENGTH_BYTES] !== 0x7b && foreignFile(start) !== undefined;
  if (isForeign || length > BigInt(MAXIMUM_HEADER_BYTES)) throw notSafetensors(start, fileName);
  if (length > BigInt(fileSize - LENGTH_BYTES)) {
    throw FormatError.at(
      fileName,
      `is truncated (its header alone takes ${length} bytes, the file has ${fileSize}); download it again`,
      { code: 'file-truncated' },
    );
  }
  if (length > BigInt(budgets.safetensorsHeader)) {
    throw FormatError.at(
      fileName,
      `its header takes ${length} bytes, and at most ${budgets.safetensorsHeader} are read; save the tensors in more files`,
    );
  }
  return Number(length);
}

function notSafetensors(start: Uint8Array, fileName: string): FormatError {
  const foreign = foreignFile(start);
  if (foreign?.kind === 'lfs') {
    return FormatError.at(
      fileName,
      `is a Git LFS pointer, not the file itself; run \`git lfs pull\` in its folder`,
      { code: 'file-is-pointer' },
    );
  }
  if (foreign) {
    const remedy = ['html', 'json', 'gzip'].includes(foreign.kind)
      ? 'download it again'
      : 'save the weights as safetensors (in Python, model.save_pretrained(FOLDER)), or use a revision of the model that has model.safetensors';
    return FormatError.at(fileName, `is not a safetensors file but ${foreign.what}; ${remedy}`);
  }
  return FormatError.at(
    fileName,
    `is not a safetensors file (it begins with ${showBytes(start.subarray(0, LENGTH_BYTES))}, where the length of its header belongs); download it again`,
  );
}

/** Bytes as text where they are printable ASCII, else in hexadecimal. */
function showBytes(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes);
  if (/^[\n\r\t\x20-\x7e]*$/.test(text)) return JSON.stringify(text);
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

function parseJson(bytes: Uint8Array, fileName: string): Map<string, unknown> {
  const failure = (problem: string) =>
    FormatError.at(fileName, `its safetensors header ${problem}; the file is damaged, download it again`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw failure('is not UTF-8');
  }
  try {
    return parseStrictObject(text);
  } catch (error) {
    throw error instanceof StrictJsonError ? failure(error.message) : error;
  }
}

function readMetadata(value: unknown, metadata: Map<string, string>, fileName: string): void {
  if (!(value instanceof Map)) throw FormatError.at(fileName, '__metadata__ is not a JSON object');
  for (const [key, text] of value as Map<string, unknown>) {
    if (typeof text !== 'string') throw FormatError.at(fileName, `__metadata__ entry ${key} is not a string`);
    metadata.set(key, text);
  }
}

function parseTensor(name: string, value: unknown, dataStart: number, fileName: string): TensorPlace {
  const fault = (problem: string) => damagedTensor(fileName, name, problem);
  if (!(value instanceof Map)) throw fault('must be described by a JSON object');
  const [dtype, shape, range] = ['dtype', 'shape', 'data_offsets'].map((key): unknown => value.get(key));
  if (typeof dtype !== 'string') throw fault('has no dtype');
  if (!isIntegers(shape)) throw fault(BAD_SHAPE);
  if (!isIntegers(range) || range.length !== 2) {
    throw fault('must have data_offsets of two non-negative integers');
  }
  const [begin, end] = range as [number, number];
  if (end < begin) throw fault(`ends (${end}) before it begins (${begin})`);
  const bytes = byteCount({ name, dtype, shape }, fileName);
  if (end - begin !== bytes) {
    throw fault(`holds ${end - begin} bytes, its shape [${shape.join(', ')}] ${dtype} needs ${bytes}`);
  }
  return { name, dtype, shape, offset: dataStart + begin, bytes };
}
