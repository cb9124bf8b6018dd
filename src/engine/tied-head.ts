import type { TensorEntry } from './checkpoint.ts';
import { decodeFloats } from './decode.ts';

const CHUNK_ELEMENTS = 2 ** 20;

/**
 * Whether two tensors of one shape hold the same numbers, in whatever dtypes. A difference is mostly found in the first
 * elements; to find them equal, both must be read whole.
 * @throws the signal's reason if it aborts between two pieces
 */
export async function holdSameNumbers(
  a: TensorEntry,
  b: TensorEntry,
  signal?: AbortSignal,
): Promise<boolean> {
  const elements = a.shape.reduce((product, extent) => product * extent, 1);
  for (let first = 0; first < elements; first += CHUNK_ELEMENTS) {
    signal?.throwIfAborted();
    const count = Math.min(CHUNK_ELEMENTS, elements - first);
    const [left, right] = await Promise.all(
      [a, b].map((entry) => readElements(entry, elements, first, count)),
    );
    if (a.dtype === b.dtype && areSameBytes(left!, right!)) continue;
    const x = decodeFloats(a.dtype, left!, a.name);
    const y = decodeFloats(b.dtype, right!, b.name);
    // Two NaNs count as equal here: their bits are the same.
    if (x.some((value, index) => value !== y[index] && !(Number.isNaN(value) && Number.isNaN(y[index])))) {
      return false;
    }
  }
  return true;
}

function readElements(
  entry: TensorEntry,
  elements: number,
  first: number,
  count: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const each = entry.bytes / elements;
  return entry.source.read(entry.offset + first * each, count * each);
}

function areSameBytes(a: Uint8Array<ArrayBuffer>, b: Uint8Array<ArrayBuffer>): boolean {
  // A plain loop: it runs over hundreds of megabytes.
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false;
  return true;
}
