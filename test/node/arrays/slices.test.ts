import { describe, expect, it } from 'vitest';
import { FileError } from '../../../src/engine/errors.ts';
import { bytesSource } from '../../../src/engine/files.ts';
import { numpyElements, safetensorsElements } from '../../../src/node/arrays/elements.ts';
import type { ElementType } from '../../../src/node/arrays/elements.ts';
import { SliceReader } from '../../../src/node/arrays/slices.ts';

function readerOf(
  data: ArrayBufferView,
  elements: ElementType,
  [slices, rows, columns]: readonly [number, number, number],
  fortranOrder = false,
): SliceReader {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const source = bytesSource('some.npy', Buffer.concat([Buffer.alloc(3), bytes]));
  return new SliceReader({
    name: 'some.npy',
    source,
    offset: 3,
    elements,
    fortranOrder,
    slices,
    rows,
    columns,
  });
}

async function allOf(reader: SliceReader, slices: number): Promise<number[][]> {
  const answers: number[][] = [];
  for (let slice = 0; slice < slices; slice++) answers.push([...(await reader.read(slice))]);
  return answers;
}

describe('SliceReader', () => {
  it.each<[string, ArrayBufferView, number[]]>([
    ['<f2', Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff), [1, -2, 2 ** -24, 65504]],
    ['<f4', Float32Array.of(1, -2, 1e-45, 3e38), [1, -2, Math.fround(1e-45), Math.fround(3e38)]],
    ['<f8', Float64Array.of(1, -2, 1e-300, 1e300), [1, -2, 1e-300, 1e300]],
    ['|i1', Int8Array.of(1, -2, 127, -128), [1, -2, 127, -128]],
    ['|u1', Uint8Array.of(1, 2, 127, 255), [1, 2, 127, 255]],
    ['<i2', Int16Array.of(1, -2, 32767, -32768), [1, -2, 32767, -32768]],
    ['<u2', Uint16Array.of(1, 2, 32767, 65535), [1, 2, 32767, 65535]],
    ['<i4', Int32Array.of(1, -2, 2147483647, -2147483648), [1, -2, 2147483647, -2147483648]],
    ['<u4', Uint32Array.of(1, 2, 4294967295, 16777217), [1, 2, 4294967295, 16777217]],
    ['<i8', BigInt64Array.of(1n, -2n, 2n ** 53n, -(2n ** 62n)), [1, -2, 2 ** 53, -(2 ** 62)]],
    ['<u8', BigUint64Array.of(1n, 2n, 2n ** 53n, 2n ** 63n), [1, 2, 2 ** 53, 2 ** 63]],
    ['|b1', Uint8Array.of(0, 1, 1, 0), [0, 1, 1, 0]],
  ])('reads %s in both orders of bytes', async (descr, data, expected) => {
    expect(await allOf(readerOf(data, numpyElements(descr)!, [1, 2, 2]), 1)).toEqual([expected]);
    const reversed = Buffer.from(data.buffer.slice(0)).reverse(); // elements too: read them from the end
    const big = readerOf(reversed, numpyElements(descr.replace(/[<|]/, '>'))!, [1, 2, 2]);
    expect(await allOf(big, 1)).toEqual([[...expected].reverse()]);
  });

  it('reads BF16', async () => {
    const data = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f7f);
    const [values] = await allOf(readerOf(data, safetensorsElements('BF16')!, [1, 2, 2]), 1);
    expect(values!.slice(0, 3)).toEqual([1, -2, 2 ** -133]);
  });

  it.each([
    ['C order', false],
    ['Fortran order', true],
  ])('reads the slices of a stack in %s', async (_, fortran) => {
    const [slices, rows, columns] = [3, 4, 5];
    const data = new Float64Array(slices * rows * columns);
    const expected = Array.from({ length: slices }, (_, slice) =>
      Array.from({ length: rows * columns }, (_, index) => 100 * slice + index),
    );
    expected.forEach((values, slice) => {
      values.forEach((value, index) => {
        const [row, column] = [Math.floor(index / columns), index % columns];
        data[fortran ? slice + slices * (row + rows * column) : slice * rows * columns + index] = value;
      });
    });
    const reader = readerOf(data, numpyElements('<f8')!, [slices, rows, columns], fortran);
    expect(await allOf(reader, slices)).toEqual(expected);
    expect([...(await reader.read(1))]).toEqual(expected[1]); // again, after the last
  });

  it('reads slices larger than what is decoded at once', async () => {
    const values = Float64Array.from({ length: 3 * 500_000 }, (_, index) => index);
    const read = await readerOf(values, numpyElements('<f8')!, [1, 3, 500_000]).read(0);
    expect(read.length).toBe(values.length);
    expect(read.every((value, index) => value === index)).toBe(true);
    const transposed = await readerOf(values, numpyElements('<f8')!, [1, 500_000, 3], true).read(0);
    expect([...transposed.slice(0, 4)]).toEqual([0, 500_000, 1_000_000, 1]);
  });

  it('refuses a slice that no memory holds before it reads', () => {
    const make = (extents: [number, number, number], fortran = false) =>
      readerOf(new Uint8Array(0), numpyElements('<f8')!, extents, fortran);
    expect(() => make([1, 2 ** 20, 2 ** 20])).toThrow(FileError);
    expect(() => make([1, 2 ** 20, 2 ** 20])).toThrow(/1048576 x 1048576 takes 8796093022208 bytes/);
    expect(() => make([4000, 2000, 4000])).not.toThrow();
    expect(() => make([4000, 2000, 4000], true)).toThrow(/Fortran order.*ascontiguousarray/);
  });
});
