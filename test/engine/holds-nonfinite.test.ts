import { expect, test } from 'vitest';
import { holdsNonfinite } from '../../src/engine/holds-nonfinite.ts';
import type { Dtype } from '../../src/engine/gpu/tensor.ts';

/** Elements by their bits: the largest finite number, a subnormal, -0; then what is not finite. */
const BITS: Readonly<Record<'F32' | 'F16' | 'BF16', { finite: number[]; others: number[] }>> = {
  F32: { finite: [0x7f7fffff, 1, 0x80000000], others: [0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001] },
  F16: { finite: [0x7bff, 1, 0x8000], others: [0x7c00, 0xfc00, 0x7e00, 0x7c01] },
  BF16: { finite: [0x7f7f, 1, 0x8000], others: [0x7f80, 0xff80, 0x7fc0, 0x7f81] },
};

test.each(Object.entries(BITS))(
  '%s: a NaN or an infinity is found wherever it is',
  (dtype, { finite, others }) => {
    const bytesOf = (bits: readonly number[], offset: number): Uint8Array<ArrayBuffer> => {
      const elements = dtype === 'F32' ? Uint32Array.from(bits) : Uint16Array.from(bits);
      const bytes = new Uint8Array(offset + elements.byteLength);
      bytes.set(new Uint8Array(elements.buffer), offset);
      return bytes.subarray(offset);
    };
    for (const offset of [0, 2]) {
      for (let length = 1; length < 6; length++) {
        const bits = Array.from({ length }, (_, at) => finite[at % finite.length]!);
        expect(holdsNonfinite(bytesOf(bits, offset), dtype as Dtype)).toBe(false);
        for (let place = 0; place < length; place++) {
          for (const other of others) {
            expect(holdsNonfinite(bytesOf(bits.with(place, other), offset), dtype as Dtype)).toBe(true);
          }
        }
      }
    }
  },
);
