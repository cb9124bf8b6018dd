import { Readable, pipeline } from 'node:stream';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { NetworkError, networkReason } from './errors.ts';

/** What this can undo, for Accept-Encoding. */
export const CODINGS = 'gzip, deflate, br';

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/**
 * Undoes a Content-Encoding. A compressed stream says itself where it ends: if it came whole, it does not matter that the
 * connection broke after it, as it does where a server states the length of something else.
 * @throws NetworkError if the bytes are damaged, cut short or compressed in an unknown way; what `raw` throws
 */
export async function* decompress(
  raw: AsyncIterable<Uint8Array<ArrayBuffer>>,
  coding: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const makeDecoder = DECODERS[coding];
  let broken: unknown;
  async function* endAtFault(): AsyncGenerator<Uint8Array> {
    try {
      yield* raw;
    } catch (error) {
      broken = error;
    }
  }
  if (!makeDecoder) {
    throw new NetworkError(`the answer is compressed as ${JSON.stringify(coding)}, which was not asked for`, {
      mayPass: false,
    });
  }
  const decoder = makeDecoder();
  const source = Readable.from(endAtFault(), { objectMode: false });
  pipeline(source, decoder, () => undefined);
  try {
    for await (const chunk of decoder) yield chunk as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if (broken !== undefined) throw broken instanceof Error ? broken : new Error(String(broken));
    throw new NetworkError(`the compressed answer is damaged or cut short (${networkReason(error)})`, {
      cause: error,
    });
  } finally {
    source.destroy();
  }
}
