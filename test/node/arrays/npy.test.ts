import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../../src/engine/errors.ts';
import { bytesSource } from '../../../src/engine/files.ts';
import { readNpyHeader } from '../../../src/node/arrays/npy.ts';
import { npyFile } from './make-files.ts';
import type { NpyDescription } from './make-files.ts';

const read = (file: Uint8Array) => readNpyHeader(bytesSource('some.npy', file));
const six = Float32Array.of(1, 2, 3, 4, 5, 6);

describe('readNpyHeader', () => {
  it.each([1, 2, 3])('reads format version %i', async (version) => {
    const { shape, fortranOrder, offset, elements } = await read(npyFile(six, { version }));
    expect({ shape, fortranOrder, offset }).toEqual({ shape: [2, 3], fortranOrder: false, offset: 128 });
    expect(elements).toMatchObject({ name: '<f4', bytes: 4, isFloat: true });
  });

  it.each([
    ['keys in any order, other quotes', '{"shape": (2, 3), "descr": "<f4", "fortran_order": False}'],
    ['an old Python long', "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }"],
    ['no spaces', "{'descr':'<f4','fortran_order':False,'shape':(2,3,)}"],
    ['a line break', "{'descr': '<f4',\n 'fortran_order': False, 'shape': (2, 3)}"],
  ])('takes %s', async (_, header) => {
    expect((await read(npyFile(six, { header }))).shape).toEqual([2, 3]);
  });

  it('takes a tuple of one, and an empty one', async () => {
    expect((await read(npyFile(six, { shape: '(6,)' }))).shape).toEqual([6]);
    expect((await read(npyFile(six.subarray(0, 1), { shape: '()' }))).shape).toEqual([]);
  });

  const field = (name: string, value: string) => {
    const fields = { descr: "'<f4'", fortran_order: 'False', shape: '(2, 3)', [name]: value };
    return { header: `{${Object.entries(fields).map(([key, text]) => `'${key}': ${text}`)}}` };
  };
  it.each<[string, NpyDescription, RegExp]>([
    ['a shape beyond its data', { shape: '(2, 4)' }, /is truncated/],
    ['a shape short of its data', { shape: '(1, 3)' }, /12 bytes after its array.*savez/],
    ['a product that no file holds', { shape: '(9007199254740991, 9007199254740991)' }, /is truncated/],
    [
      'an impossible extent',
      { shape: '(99999999999999999999, 3)' },
      /impossible extent 99999999999999999999/,
    ],
    ['a negative extent', { shape: '(-2, 3)' }, /whole numbers from 0/],
    ['a boolean extent', { shape: '(True, 6)' }, /whole numbers from 0/],
    ['a fractional extent', { shape: '(2.0, 3)' }, /is expected at character/],
    ['a zero-led extent', { shape: '(02, 3)' }, /is expected at character/],
    ['a string for an extent', { shape: "('2', 3)" }, /whole numbers from 0/],
    ['a number for a shape', { shape: '(6)' }, /shape is not a tuple/],
    ['a list for a shape', { shape: '[2, 3]' }, /shape is not a tuple/],
    ['an order that is not a boolean', field('fortran_order', '0'), /fortran_order is not True or False/],
    ['a key twice', { header: "{'descr': '<f4', 'descr': '<f4'}" }, /the key 'descr' is there twice/],
    ['another key', field('more', '1'), /its keys are descr, fortran_order, shape, more/],
    ['a missing key', { header: "{'descr': '<f4', 'shape': (2, 3)}" }, /lacks the key 'fortran_order'/],
    ['more after the dict', { header: "{'descr': '<f4'} {}" }, /nothing more is expected/],
    ['an expression', { shape: '(1 + 1, 3)' }, /is expected at character/],
    ['a list', { header: '[1, 2]' }, /is not a dict/],
    ['no header', { header: 'hello' }, /cannot be read/],
    ['brackets without end', { header: '('.repeat(5000) }, /cannot be read/],
    ['another version', { version: 4 }, /format 4\.0/],
    ['another minor version', { minor: 1 }, /format 1\.1/],
  ])('refuses %s', async (_, description, message) => {
    const error = await read(npyFile(six, description)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).toMatch(/^some\.npy: [^\n]*$/);
  });

  it.each([
    ["'<c16'", /complex numbers \(<c16\).*array\.real/],
    ["'|O'", /Python objects.*savez/],
    ["'<U5'", /strings \(<U5\)/],
    ["'|S5'", /byte strings/],
    ["'|V2'", /bfloat16.*astype\('f4'\)/],
    ["'<M8[s]'", /dates.*astype\('i8'\)/],
    ["'<f16'", /more than 64 bits.*astype\('f8'\)/],
    ["[('a', '<f4'), ('b', '<i2', (2,))]", /structured array.*FIELD/],
    ["'<q9'", /unknown type/],
  ])('says how to save %s', async (descr, message) => {
    const { elements } = await read(npyFile(six, { descr }));
    expect(elements).toMatchObject({ problem: expect.stringMatching(message) as string });
  });

  it('refuses any other header by name, or reads it', async () => {
    const piece = fc.constantFrom(...`{}()[],:'"0123-L "\\`, 'True', "'shape'", "'descr'", "'<f4'", 'None');
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
        const error = await read(npyFile(six, { header: pieces.join('') })).catch(
          (reason: unknown) => reason,
        );
        if (error instanceof Error) expect(error).toBeInstanceOf(FormatError);
      }),
    );
  });

  it('refuses what is not a .npy file', async () => {
    await expect(read(new Uint8Array(0))).rejects.toThrow(/is not a \.npy file/);
  });

  it.each<[NpyDescription, RegExp]>([
    [
      { shape: '(5, 3)' },
      /shape \[5, 3\] asks for 188 bytes, the file has 152\); save or copy it again, or keep .*numpy\.fromfile\(path, '<f4', 6, offset=128\)\.reshape\(2, 3\)\)$/,
    ],
    [{ shape: '(4, 2, 2)' }, /'<f4', 4, offset=128\)\.reshape\(1, 2, 2\)\)$/],
    [{ shape: '(2, 7)' }, /save or copy it again$/],
    [{ shape: '(5, 3)', fortran: true }, /save or copy it again$/],
    [{ shape: '(50,)' }, /save or copy it again$/],
  ])('says what can be kept of a truncated file: %j', async (description, message) => {
    await expect(read(npyFile(six, description))).rejects.toThrow(message);
  });

  it('refuses a truncated file, wherever the cut is', async () => {
    const file = npyFile(six);
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: file.length - 1 }), async (length) => {
        await expect(read(file.subarray(0, length))).rejects.toThrow(FormatError);
      }),
    );
  });
});
