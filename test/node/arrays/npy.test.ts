import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../src/engine/errors.ts';
import { bytesSource } from '../../src/engine/files.ts';
import { readNpy } from '../../src/node/npy.ts';

interface Description {
  descr?: string;
  fortran?: boolean;
  shape?: string;
  version?: number;
  header?: string;
}

/** A .npy file, made by the format's description. */
function npy(data: ArrayBufferView, description: Description = {}): Uint8Array {
  const { descr = "'<f4'", fortran = false, shape = '(2, 3)', version = 1 } = description;
  const order = fortran ? 'True' : 'False';
  const text = description.header ?? `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const start = version === 1 ? 10 : 12;
  const length = Math.ceil((start + text.length + 1) / 64) * 64 - start;
  const header = new TextEncoder().encode(text.padEnd(length - 1) + '\n');
  const file = new Uint8Array(start + length + data.byteLength);
  file.set([0x93, ...new TextEncoder().encode('NUMPY'), version, 0]);
  const view = new DataView(file.buffer);
  if (version === 1) view.setUint16(8, length, true);
  else view.setUint32(8, length, true);
  file.set(header, start);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start + length);
  return file;
}

const read = (file: Uint8Array) => readNpy(bytesSource('some.npy', file));
const six = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('readNpy', () => {
  it.each([1, 2, 3])('reads format version %i', async (version) => {
    expect(await read(npy(six, { version }))).toEqual({ shape: [2, 3], values: six, dtype: 'F32' });
  });

  it('reads halves and doubles', async () => {
    const halves = Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600);
    expect(await read(npy(halves, { descr: "'<f2'" }))).toEqual({ shape: [2, 3], values: six, dtype: 'F16' });
    const doubles = Float64Array.from(six, (value) => value + 1e-12);
    expect(await read(npy(doubles, { descr: "'<f8'" }))).toEqual({
      shape: [2, 3],
      values: six,
      dtype: 'F64',
    });
  });

  it('turns Fortran order into C order', async () => {
    const matrix = await read(npy(Float32Array.of(1, 4, 2, 5, 3, 6), { fortran: true }));
    expect(matrix.values).toEqual(six);
    // Element (l, t, d) of a stack lies at l + L (t + T d).
    const stored = new Float32Array(24);
    for (let slice = 0; slice < 2; slice++)
      for (let row = 0; row < 3; row++)
        for (let column = 0; column < 4; column++)
          stored[slice + 2 * (row + 3 * column)] = 100 * slice + 10 * row + column;
    const stack = await read(npy(stored, { fortran: true, shape: '(2, 3, 4)' }));
    expect(stack.shape).toEqual([2, 3, 4]);
    expect([...stack.values.subarray(0, 5)]).toEqual([0, 1, 2, 3, 10]);
    expect([...stack.values.subarray(12, 17)]).toEqual([100, 101, 102, 103, 110]);
  });

  it('reads arrays of more than one chunk', async () => {
    const values = Float64Array.from({ length: 3 * 500_000 }, (_, index) => index);
    const array = await read(npy(values, { descr: "'<f8'", shape: '(3, 500000)' }));
    expect(array.values.length).toBe(values.length);
    expect(array.values.every((value, index) => value === index)).toBe(true);
  });

  it('takes keys in any order, other quotes and an old Python long', async () => {
    const header = '{"shape": (2L, 3L), "descr": "<f4", "fortran_order": False}';
    expect((await read(npy(six, { header }))).shape).toEqual([2, 3]);
  });

  it.each([
    ['big-endian floats', { descr: "'>f4'" }, /holds >f4.*astype/],
    ['integers', { descr: "'<i4'" }, /holds <i4/],
    ['a structured array', { descr: "[('a', '<f4')]" }, /structured array/],
    ['a vector', { shape: '(6,)' }, /has shape \(6\); a matrix/],
    ['a scalar', { shape: '()' }, /has shape \(\)/],
    ['four dimensions', { shape: '(1, 1, 2, 3)' }, /has shape \(1, 1, 2, 3\)/],
    ['a shape beyond its data', { shape: '(2, 4)' }, /is truncated/],
    ['a shape short of its data', { shape: '(1, 3)' }, /12 bytes after its array/],
    ['an impossible shape', { shape: '(99999999999999999999, 3)' }, /impossible shape/],
    ['a negative shape', { shape: '(-2, 3)' }, /header cannot be read/],
    ['another version', { version: 4 }, /format 4/],
    ['no header', { header: 'hello' }, /header cannot be read/],
  ])('refuses %s', async (_, description, message) => {
    const error = await read(npy(six, description)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^some\.npy: [^\n]*$/);
  });

  it('refuses what is no .npy file', async () => {
    await expect(read(new Uint8Array(0))).rejects.toThrow(/is not a \.npy file/);
    await expect(read(new TextEncoder().encode('PK\x03\x04 and so on'))).rejects.toThrow(
      /is not a \.npy file/,
    );
  });

  it('refuses a truncated file, wherever the cut is', async () => {
    const file = npy(six);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: file.length - 1 }), async (length) => {
        await expect(read(file.subarray(0, length))).rejects.toThrow(FormatError);
      }),
    );
  });
});
