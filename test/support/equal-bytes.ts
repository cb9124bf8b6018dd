import { expect } from 'vitest';

/** The bytes of a typed array. */
function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function isTypedArray(value: unknown): value is ArrayBufferView {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * Typed arrays of one kind and the same bytes are equal. Vitest's `toEqual` looks at their elements one by one, keys
 * included, which takes most of a test that compares activations. Others (NaNs of different bits) it still decides.
 */
function haveEqualBytes(a: unknown, b: unknown): true | undefined {
  if (!isTypedArray(a) || !isTypedArray(b) || a.constructor !== b.constructor) return undefined;
  if (a.byteLength !== b.byteLength) return undefined;
  const [left, right] = [bytesOf(a), bytesOf(b)];
  for (let at = 0; at < left.length; at++) if (left[at] !== right[at]) return undefined;
  return true;
}

expect.addEqualityTesters([haveEqualBytes]);
