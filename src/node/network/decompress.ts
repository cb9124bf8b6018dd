import { Readable, pipeline } from 'node:stream';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { NetworkError, networkReason } from './errors.ts';

/** What this can undo, for Accept-Encoding. */
export const CODINGS = 'gzip, deflate, br';

/** By name; told the first byte. */
const DECODERS: Readonly<Record<string, (first: number) => Transform>> = {
  gzip: () => createGunzip(),
  'x-gzip': () => createGunzip(),
  // Some servers leave the header away, which ends in 8 (RFC 1950).
  deflate: (first) => ((first & 0x0f) === 8 ? createInflate() : createInflateRaw()),
  br: () => createBrotliDecompress(),
};

/** The codings of a Content-Encoding, in the order in which they are undone; none if the bytes are as they are. */
export function codingsOf(header: string | null): readonly string[] {
  const codings = (header ?? '').split(',').map((coding) => coding.trim().toLowerCase());
  return codings.filter((coding) => coding !== '' && coding !== 'identity').reverse();
}

/**
 * Undoes one coding. A compressed stream marks its own end. If the whole stream came, it does not matter that
 * the connection broke after it, which happens when a server states a wrong length.
 * @throws NetworkError if the bytes are damaged, cut short or compressed in an unknown way; what `raw` throws
 */
export async function* decompress(
  raw: AsyncIterable<Uint8Array<ArrayBuffer>>,
  coding: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const bytes = raw[Symbol.asyncIterator]();
  let source: Readable | undefined;
  let broken: unknown;
  async function* endAtFault(begin: IteratorResult<Uint8Array<ArrayBuffer>>): AsyncGenerator<Uint8Array> {
    try {
      for (let next = begin; !next.done; next = await bytes.next()) yield next.value;
    } catch (error) {
      broken = error;
    }
  }
  try {
    const makeDecoder = DECODERS[coding];
    if (!makeDecoder) {
      throw new NetworkError(
        `the answer is compressed as ${JSON.stringify(coding)}, which was not asked for`,
        { mayPass: false },
      );
    }
    const begin = await bytes.next();
    const decoder = makeDecoder(begin.done ? 0 : begin.value[0]!);
    source = Readable.from(endAtFault(begin), { objectMode: false });
    pipeline(source, decoder, () => undefined);
    for await (const chunk of decoder) yield chunk as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if (error instanceof NetworkError) throw error;
    if (broken !== undefined) throw broken instanceof Error ? broken : new Error(String(broken));
    throw new NetworkError(`the compressed answer is damaged or cut short (${networkReason(error)})`, {
      cause: error,
    });
  } finally {
    source?.destroy();
    bytes.return?.().catch(() => undefined); // not waited for: it may be silent
  }
}
