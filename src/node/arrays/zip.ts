import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import { fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader } from 'yauzl';
import type { Entry, ZipFile } from 'yauzl';
import { budgets } from '../../engine/budgets.ts';
import { FormatError, LaminarError } from '../../engine/errors.ts';
import { checkRange } from '../../engine/files.ts';
import type { ByteSource } from '../../engine/files.ts';

/** A file within a zip archive. */
export interface ZipEntry {
  /** As the archive spells it, e.g. 'layer0.npy'. */
  readonly path: string;
  /** False where it is encrypted, or compressed in another way than deflate. */
  readonly isReadable: boolean;
  /** @param name what messages call it */
  open(name: string): ByteSource;
}

/** Bytes read from the archive at once. */
const CHUNK_BYTES = 2 ** 18;

/**
 * Lists the files of a zip archive, zip64 too. The archive's source stays the caller's to close.
 * @throws FormatError if the archive is truncated or damaged, or has two files of one name
 */
export async function readZip(source: ByteSource): Promise<ZipEntry[]> {
  const entries = new Map<string, ZipEntry>();
  try {
    const zip = await fromRandomAccessReaderPromise(new SourceReader(source), source.size, {
      autoClose: false,
      decodeStrings: false,
    });
    if (zip.entryCount > budgets.npzFiles) {
      throw FormatError.at(
        source.name,
        `has ${zip.entryCount} files within, and at most ${budgets.npzFiles} are read; save fewer in each archive`,
      );
    }
    for await (const entry of zip.eachEntry()) {
      const path = getFileNameLowLevel(
        entry.generalPurposeBitFlag,
        entry.fileNameRaw,
        entry.extraFields,
        true,
      );
      if (entries.has(path)) {
        throw FormatError.at(source.name, `has two files ${path} within; save it again`);
      }
      entries.set(path, {
        path,
        isReadable: entry.canDecodeFileData(),
        open: (name) => new EntrySource(name, zip, entry),
      });
    }
  } catch (error) {
    throw zipError(source.name, error);
  }
  return [...entries.values()];
}

/** yauzl reads an archive through this. */
class SourceReader extends RandomAccessReader {
  constructor(private readonly source: ByteSource) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#read(position, length).then(
      (bytes) => {
        buffer.set(bytes, offset);
        callback(null);
      },
      (error: unknown) => {
        callback(error as Error);
      },
    );
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return Readable.from(this.#chunks(start, end), { objectMode: false });
  }

  async *#chunks(start: number, end: number): AsyncGenerator<Buffer> {
    for (let at = start; at < end; at += CHUNK_BYTES) {
      yield Buffer.from(await this.#read(at, Math.min(CHUNK_BYTES, end - at)));
    }
  }

  async #read(position: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (position + length > this.source.size) throw new RangeError('it refers to bytes beyond its end');
    return await this.source.read(position, length);
  }
}

/**
 * A file within an archive, read from its start to its end: reading on continues, reading back begins again. Its
 * checksum is compared when its last byte has been read. Calls may not overlap in time. Closing gives memory back, and
 * reading opens it again.
 */
class EntrySource implements ByteSource {
  readonly size: number;
  #chunks: AsyncIterator<Buffer> | undefined;
  #stream: Readable | undefined;
  #rest: Buffer = Buffer.alloc(0);
  #position = 0;
  #checksum = 0;

  constructor(
    readonly name: string,
    private readonly zip: ZipFile,
    private readonly entry: Entry,
  ) {
    this.size = entry.uncompressedSize;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    try {
      if (!this.#chunks || offset < this.#position) await this.#restart();
      await this.#take(offset - this.#position, () => undefined);
      const bytes = new Uint8Array(length);
      await this.#take(length, (piece, at) => {
        bytes.set(piece, at);
      });
      if (this.#position === this.size) await this.#checkEnd();
      return bytes;
    } catch (error) {
      throw zipError(this.name, error);
    }
  }

  close(): Promise<void> {
    this.#stream?.destroy();
    this.#stream = this.#chunks = undefined;
    return Promise.resolve();
  }

  async #restart(): Promise<void> {
    await this.close();
    this.#stream = await this.zip.openReadStreamPromise(this.entry);
    this.#stream.on('error', () => undefined); // the iterator reports it; after close() it does not matter
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#rest = Buffer.alloc(0);
    this.#position = this.#checksum = 0;
  }

  async #take(length: number, use: (piece: Buffer, at: number) => void): Promise<void> {
    for (let done = 0; done < length;) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks!.next();
        if (next.done === true) throw FormatError.at(this.name, 'ends early; the file is damaged');
        this.#rest = next.value;
        this.#checksum = crc32(next.value, this.#checksum);
      }
      const piece = this.#rest.subarray(0, length - done);
      use(piece, done);
      this.#rest = this.#rest.subarray(piece.length);
      this.#position += piece.length;
      done += piece.length;
    }
  }

  async #checkEnd(): Promise<void> {
    const next = await this.#chunks!.next();
    if (next.done !== true || this.#checksum !== this.entry.crc32) {
      throw FormatError.at(this.name, 'does not fit its checksum; the file is damaged, save it again');
    }
  }
}

/** Turns what goes wrong in an archive into one of our errors; those stay as they are. */
function zipError(name: string, error: unknown): unknown {
  if (error instanceof LaminarError || !(error instanceof Error)) return error;
  return FormatError.at(
    name,
    `the zip archive is damaged or cut off (${error.message.split(/[\n.]/)[0]}); save it again`,
    { cause: error },
  );
}
