import { describe, expect, it } from 'vitest';
import { decodeFloats } from '../../src/engine/decode.ts';
import { FormatError } from '../../src/engine/errors.ts';

/** The bytes one place further on, where no typed array of wider elements could lie. */
function misaligned(bytes: ArrayBuffer): Uint8Array {
  const shifted = new Uint8Array(bytes.byteLength + 1);
  shifted.set(new Uint8Array(bytes), 1);
  return shifted.subarray(1);
}

describe('decodeFloats', () => {
  it('copies F32 bit for bit', () => {
    const values = Float32Array.of(1, -0, 1e-45, 3.4e38, Infinity, NaN);
    expect(decodeFloats('F32', misaligned(values.buffer), 'x')).toEqual(values);
  });

  it('widens every F16', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const values = decodeFloats('F16', misaligned(halves.buffer), 'x');
    expect([values[0x3c00], values[0xc000], values[0x7bff], values[0x0001]]).toEqual([
      1,
      -2,
      65504,
      2 ** -24,
    ]);
    expect([values[0x7c00], values[0xfc00], values[0x7e00]]).toEqual([Infinity, -Infinity, NaN]);
    expect(Object.is(values[0x8000], -0)).toBe(true);
    // From one half to the next is one unit in the last place, which doubles every 1024 of them.
    let irregular = 0;
    for (let bits = 1; bits < 0x7c00; bits++) {
      const step = 2 ** (Math.max(bits - 1, 0x400) >> 10) * 2 ** -25;
      if (values[bits]! - values[bits - 1]! !== step) irregular++;
      if (values[bits + 0x8000] !== -values[bits]!) irregular++;
    }
    expect(irregular).toBe(0);
  });

  it('widens BF16, the upper half of a float32', () => {
    const floats = Float32Array.of(1.5, -2, 0.0078125, 65536);
    const upper = Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16);
    expect(decodeFloats('BF16', misaligned(upper.buffer), 'x')).toEqual(floats);
  });

  it('rounds F64', () => {
    const values = Float64Array.of(Math.PI, -1e-300, 1 / 3);
    expect(decodeFloats('F64', misaligned(values.buffer), 'x')).toEqual(Float32Array.from(values));
  });

  it('names a dtype that is no float', () => {
    expect(() => decodeFloats('I64', new Uint8Array(8), 'file: tensor ids')).toThrow(FormatError);
    expect(() => decodeFloats('I64', new Uint8Array(8), 'file: tensor ids')).toThrow(
      /file: tensor ids has dtype I64/,
    );
  });
});
