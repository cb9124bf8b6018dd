import { budgetOf, checkBudget, checkJsonValues } from './budgets.ts';
import { FileError, FormatError } from './errors.ts';
import { foreignFile } from './foreign-files.ts';

/** Bytes that can be read in ranges: a file on disk, a File in a browser, a range of a download. */
export interface ByteSource {
  /** For error messages, e.g. 'weights/alice-gpt2/model.safetensors'. */
  readonly name: string;
  /** The size in bytes. */
  readonly size: number;
  /** Reads exactly `length` bytes; calls may overlap in time. @throws FileError if they are not there. */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Reads as `read` does, into memory that is used again and again. A source has it if that spares a copy, or the memory.
   * @param target filled from its first byte to its last
   */
  readInto?(offset: number, target: Uint8Array<ArrayBuffer>): Promise<void>;
  close(): Promise<void>;
}

/** The files of one model, wherever they lie. */
export interface ModelFiles {
  /** Folder path or hub id, for messages. */
  readonly name: string;
  /** Resolves to undefined when there is no such file. @throws FileError if it is there but cannot be opened. */
  open(fileName: string): Promise<ByteSource | undefined>;
  /** Names of all files, where they can be known without asking for each. */
  list?(): Promise<readonly string[]>;
}

/** @throws FileError unless [offset, offset + length) lies within the source. */
export function checkRange(source: Pick<ByteSource, 'name' | 'size'>, offset: number, length: number): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!valid || offset + length > source.size) {
    throw FileError.at(
      source.name,
      `bytes ${offset} to ${offset + length} were asked for, the file has ${source.size}`,
      { code: 'file-too-short' },
    );
  }
}

/** A source over bytes that are in memory already. It does not copy them until they are read. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  const source = {
    name,
    size: bytes.byteLength,
    read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
      return Promise.resolve().then(() => {
        checkRange(source, offset, length);
        return new Uint8Array(bytes.subarray(offset, offset + length));
      });
    },
    close: () => Promise.resolve(),
  };
  return source;
}

/**
 * Reads a file as UTF-8 text and closes it; undefined when there is no such file.
 * @throws FormatError if it is not UTF-8 or too large to be text.
 */
export async function readText(files: ModelFiles, fileName: string): Promise<string | undefined> {
  const source = await files.open(fileName);
  if (!source) return undefined;
  try {
    checkBudget(source, budgetOf(fileName));
    const bytes = await source.read(0, source.size);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw FormatError.at(source.name, 'is not UTF-8 text; download the file again', {
        code: 'bad-text',
      });
    }
  } finally {
    await source.close();
  }
}

/**
 * Reads a JSON file; undefined when there is no such file.
 * @throws FormatError if it is not JSON, or holds more than is read.
 */
export async function readJson(files: ModelFiles, fileName: string): Promise<unknown> {
  const text = await readText(files, fileName);
  if (text === undefined) return undefined;
  checkJsonValues(text, `${files.name}/${fileName}`);
  return parseJson(text, `${files.name}/${fileName}`, 'download the file again');
}

/**
 * Parses JSON, and what Python's json module writes besides: NaN, Infinity and -Infinity, in place of any value.
 *
 * @param name of the file that the text came from
 * @param advice how to fix it
 * @throws FormatError with both, if the text is not JSON.
 */
export function parseJson(text: string, name: string, advice: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const value = parsePythonJson(text);
    if (value !== undefined) return value;
    if (text.trim() === '') throw FormatError.at(name, `is empty; ${advice}`);
    const foreign = foreignFile(new TextEncoder().encode(text.slice(0, SHOWN_CHARACTERS)));
    if (foreign?.kind === 'lfs') {
      throw FormatError.at(
        name,
        `is a Git LFS pointer, not the file itself; run \`git lfs pull\` in its folder`,
      );
    }
    const what = foreign?.kind === 'html' ? ` but ${foreign.what}` : ` (${oneLine(error)})`;
    throw FormatError.at(name, `is not valid JSON${what}; ${advice}`);
  }
}

/** Characters of a text that is not JSON, enough to tell its kind. */
const SHOWN_CHARACTERS = 200;

/** A string, which is passed over, or one of Python's constants where a value may stand, not a key. */
const STRING_OR_CONSTANT = /"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)(?!\s*:)/g;
/** What stands for a constant until the text is parsed; no text that is read contains it. */
const MARK = '\u0000python:';

/** undefined if the text has none of the constants, or is not JSON with them either. */
function parsePythonJson(text: string): unknown {
  if (!/NaN|Infinity/.test(text) || text.includes('\\u0000python:')) return undefined;
  const marked = text.replace(STRING_OR_CONSTANT, (match, constant?: string) =>
    constant === undefined ? match : JSON.stringify(MARK + constant),
  );
  try {
    return JSON.parse(marked, (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(MARK) ? Number(value.slice(MARK.length)) : value,
    ) as unknown;
  } catch {
    return undefined;
  }
}

/** A JSON object rather than an array, a string, a number or null. */
export function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The message of anything thrown, without the line breaks that JSON.parse quotes from its input. */
function oneLine(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/\s+/g, ' ').slice(0, 160);
}
