import fc from 'fast-check';
import { SafeTensor } from 'safetensors';
import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import { budgets } from '../../src/engine/budgets.ts';
import { FormatError } from '../../src/engine/errors.ts';
import { bytesSource } from '../../src/engine/files.ts';
import type { TensorDeclaration } from '../../src/engine/safetensors-tensors.ts';
import { encodeHeader, parseHeader, readHeader } from '../../src/engine/safetensors.ts';
import { dtypeBits } from '../../src/engine/safetensors-tensors.ts';

/** A file with this header text and so many bytes of data. */
function fileOf(json: string, dataBytes: number): Uint8Array {
  const text = new TextEncoder().encode(json);
  const file = new Uint8Array(8 + text.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, 8);
  return file;
}

/** Quicker than toEqual on megabytes. */
const sameBytes = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

const read = (file: Uint8Array) => readHeader(bytesSource('some.safetensors', file));

/** Tensors whose sizes are whole bytes: the formats of fewer than 8 bits need a multiple of 4 elements. */
const declarations: fc.Arbitrary<TensorDeclaration[]> = fc.uniqueArray(
  fc
    .record({
      name: fc.string({ unit: 'grapheme' }).filter((name) => name !== '__metadata__'),
      dtype: fc.constantFrom(...dtypeBits.keys()),
      shape: fc.array(fc.nat({ max: 6 }), { maxLength: 4 }),
    })
    .map(({ name, dtype, shape }) => ({
      name,
      dtype,
      shape: dtypeBits.get(dtype)! < 8 ? [...shape, 4] : shape,
    })),
  { selector: ({ name }) => name, maxLength: 12 },
);
const metadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4 });

describe('header', () => {
  it('comes back as it was encoded, each tensor at a multiple of its width', async () => {
    await fc.assert(
      fc.asyncProperty(declarations, metadata, async (tensors, strings) => {
        const encoded = encodeHeader(tensors, strings);
        expect(encoded.bytes.length % 8).toBe(0);
        const file = new Uint8Array(encoded.fileSize);
        file.set(encoded.bytes);
        const header = await read(file);
        expect(header.tensors).toEqual(encoded.tensors);
        expect(header.metadata).toEqual(new Map(Object.entries(strings)));
        expect([...header.tensors.keys()].sort()).toEqual(tensors.map(({ name }) => name).sort());
        for (const { name, dtype, shape } of tensors) {
          const place = header.tensors.get(name)!;
          expect(place).toMatchObject({ dtype, shape });
          if (dtypeBits.get(dtype)! >= 8) expect((place.offset * 8) % dtypeBits.get(dtype)!).toBe(0);
        }
      }),
    );
  });

  it('of a truncated file is refused, wherever the cut is', async () => {
    await fc.assert(
      fc.asyncProperty(
        declarations,
        metadata,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (tensors, strings, at) => {
          const encoded = encodeHeader(tensors, strings);
          const file = new Uint8Array(encoded.fileSize);
          file.set(encoded.bytes);
          const cut = file.subarray(0, Math.min(Math.floor(at * file.length), file.length - 1));
          await expect(read(cut)).rejects.toThrow(FormatError);
        },
      ),
    );
  });

  it('of a damaged file is refused as such or still makes sense, never anything else', async () => {
    const encoded = encodeHeader(
      [
        { name: 'weight', dtype: 'F32', shape: [3, 5] },
        { name: 'bias', dtype: 'BF16', shape: [5] },
      ],
      { format: 'pt' },
    );
    const whole = new Uint8Array(encoded.fileSize);
    whole.set(encoded.bytes);
    const change = fc.tuple(fc.nat({ max: encoded.bytes.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const file = whole.slice();
        for (const [index, value] of changes) file[index] = value;
        const outcome = await read(file).catch((error: unknown) => error);
        if (outcome instanceof Error) {
          expect(outcome).toBeInstanceOf(FormatError);
          expect(outcome.message).toMatch(/^some\.safetensors: /);
          return;
        }
        const { tensors } = outcome as Awaited<ReturnType<typeof readHeader>>;
        const bytes = [...tensors.values()].reduce((sum, place) => sum + place.bytes, 0);
        const header = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
        expect(header + bytes).toBe(file.length);
      }),
      { numRuns: 1000 },
    );
  });

  const one = '"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}';
  it.each([
    ['no JSON', '{', 0, /not valid JSON \(a string is expected at character 1\)/],
    ['an array', '[]', 0, /does not begin with \{/],
    ['white space first', ` {${one}}`, 8, /header does not begin with \{/],
    ['a byte order mark', `\uFEFF{${one}}`, 8, /header does not begin with \{/],
    ['more after it', `{${one}}x`, 8, /nothing more is expected/],
    ['a name twice', `{${one},${one}}`, 8, /header has the key "a" twice/],
    [
      'a name twice, once escaped',
      `{${one},${one.replace('a', String.raw`\u0061`)}}`,
      8,
      /the key "a" twice/,
    ],
    ['a shape twice', `{${one.replace('"shape"', '"shape":[2],"shape"')}}`, 8, /the key "shape" twice/],
    ['metadata twice', `{"__metadata__":{"k":"1","k":"2"},${one}}`, 8, /the key "k" twice/],
    ['an offset with an exponent', `{${one.replace(',8]', ',8e0]')}}`, 8, /tensor a must have data_offsets/],
    ['an offset with a fraction', `{${one.replace(',8]', ',8.0]')}}`, 8, /tensor a must have data_offsets/],
    ['minus zero', `{${one.replace('[0', '[-0')}}`, 8, /tensor a must have data_offsets/],
    ['a number that begins with 0', `{${one.replace('[2]', '[02]')}}`, 8, /not valid JSON/],
    ['a constant of Python', `{${one.replace('[2]', '[NaN]')}}`, 8, /not valid JSON/],
    ['a line break in a name', `{${one.replace('a', 'a\n')}}`, 8, /not valid JSON/],
    ['too many brackets', `{"a":${'['.repeat(99)}`, 0, /nests more than 16 deep/],
    ['no object for a tensor', '{"a":1}', 0, /tensor a must be described by a JSON object/],
    [
      'an unknown dtype',
      '{"a":{"dtype":"F12","shape":[2],"data_offsets":[0,3]}}',
      3,
      /tensor a has the unknown dtype F12/,
    ],
    [
      'a dtype of Object',
      '{"a":{"dtype":"constructor","shape":[2],"data_offsets":[0,3]}}',
      3,
      /unknown dtype constructor/,
    ],
    ['no dtype', '{"a":{"shape":[2],"data_offsets":[0,8]}}', 8, /tensor a has no dtype/],
    [
      'a negative extent',
      '{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}',
      8,
      /tensor a must have a shape/,
    ],
    [
      'a fractional extent',
      '{"a":{"dtype":"F32","shape":[0.5],"data_offsets":[0,2]}}',
      2,
      /tensor a must have a shape/,
    ],
    [
      'a shape of text',
      '{"a":{"dtype":"F32","shape":"2","data_offsets":[0,8]}}',
      8,
      /tensor a must have a shape/,
    ],
    [
      'a shape beyond any file',
      `{"a":{"dtype":"F32","shape":[${2 ** 40},${2 ** 40}],"data_offsets":[0,0]}}`,
      0,
      /too large/,
    ],
    ['half a byte', '{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', 2, /whole byte/],
    ['three offsets', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8, /data_offsets/],
    ['no offsets', '{"a":{"dtype":"F32","shape":[2]}}', 8, /data_offsets/],
    [
      'offsets the wrong way',
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}',
      8,
      /ends \(0\) before it begins \(8\)/,
    ],
    [
      'a size that its shape denies',
      '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}',
      8,
      /holds 8 bytes.*needs 12/,
    ],
    [
      'a hole before',
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
      12,
      /a begins 4 bytes after the header/,
    ],
    [
      'a hole between',
      `{${one},"b":{"dtype":"U8","shape":[1],"data_offsets":[9,10]}}`,
      10,
      /b begins 1 bytes after tensor a/,
    ],
    [
      'an overlap',
      `{${one},"b":{"dtype":"U8","shape":[4],"data_offsets":[6,10]}}`,
      10,
      /tensor b overlaps tensor a/,
    ],
    ['bytes left over', `{${one}}`, 9, /1 bytes that belong to no tensor/],
    ['data cut off', `{${one}}`, 7, /is truncated/],
    ['metadata that is no object', '{"__metadata__":[]}', 0, /__metadata__/],
    ['metadata that is no text', '{"__metadata__":{"a":1}}', 0, /__metadata__ entry a/],
  ])('with %s is refused', async (_, json, dataBytes, message) => {
    const error = await read(fileOf(json, dataBytes)).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(message);
  });

  it('that is no header is refused before it is read', async () => {
    const text = new TextEncoder().encode('Dear reader, here is a letter');
    await expect(read(text)).rejects.toThrow(
      /is not a safetensors file \(it begins with "Dear rea".*\); download it again/,
    );
    await expect(read(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10))).rejects.toThrow(
      /it begins with 89 50 4e 47 0d 0a 1a 0a,/,
    );
    const pointer = new TextEncoder().encode(
      'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
    );
    await expect(read(pointer)).rejects.toThrow(/Git LFS pointer.*git lfs pull/);
    await expect(read(new Uint8Array(0))).rejects.toThrow(/is truncated/);
    const archive = Uint8Array.of(0x50, 0x4b, 3, 4, ...new Uint8Array(100)); // as old PyTorch begins them
    await expect(read(archive)).rejects.toThrow(
      /a zip archive, as PyTorch saves its files; save the weights as/,
    );
  });

  it('may list tensors in any order, and empty ones', () => {
    const json = `{"z":{"dtype":"U8","shape":[1],"data_offsets":[8,9]},"e":{"dtype":"F64","shape":[0,3],"data_offsets":[8,8]},${one}}`;
    const bytes = new TextEncoder().encode(json);
    const { tensors } = parseHeader(bytes, 8 + bytes.length + 9, 'file');
    expect([...tensors.keys()]).toEqual(['a', 'e', 'z']);
    expect(tensors.get('z')!.offset).toBe(8 + bytes.length + 8);
  });

  it('that is larger than its budget is refused before it is read', async () => {
    const length = budgets.safetensorsHeader + 8;
    const start = new Uint8Array(8);
    new DataView(start.buffer).setBigUint64(0, BigInt(length), true);
    const asked: number[] = [];
    const source = {
      ...bytesSource('large.safetensors', start),
      size: length + 8,
      read: (_: number, bytes: number) => {
        asked.push(bytes);
        return Promise.resolve(new Uint8Array([...start, ...new Uint8Array(bytes - 8)]));
      },
    };
    await expect(readHeader(source)).rejects.toThrow(
      /its header takes 16777224 bytes, and at most 16777216 are read/,
    );
    expect(Math.max(...asked)).toBeLessThan(1000);
  });

  it('keeps a tensor called __proto__', async () => {
    const encoded = encodeHeader([{ name: '__proto__', dtype: 'U8', shape: [0] }]);
    expect([...(await read(encoded.bytes)).tensors.keys()]).toEqual(['__proto__']);
  });

  it('is not encoded from names given twice, reserved names or unknown dtypes', () => {
    const tensor = { name: 'a', dtype: 'F32', shape: [1] };
    expect(() => encodeHeader([tensor, tensor])).toThrow(FormatError);
    expect(() => encodeHeader([{ ...tensor, name: '__metadata__' }])).toThrow(FormatError);
    expect(() => encodeHeader([{ ...tensor, dtype: 'F31' }])).toThrow(FormatError);
    expect(() => encodeHeader([{ ...tensor, shape: [1.5] }])).toThrow(FormatError);
  });
});

describe("npm's safetensors", () => {
  it.each([
    'weights/alice-gpt2',
    'weights/alice-pythia',
    'test/golden/gpt2-noprefix-tied',
    'test/golden/neox-f16',
  ])('finds the same bytes in %s', async (path) => {
    const original = await readFixture(`${path}/model.safetensors`);
    const { tensors } = await read(original);
    // That package throws on files with __metadata__, so it gets the same tensors under a header without.
    const encoded = encodeHeader([...tensors.values()]);
    const file = new Uint8Array(encoded.fileSize);
    file.set(encoded.bytes);
    for (const { name, offset, bytes } of tensors.values()) {
      file.set(original.subarray(offset, offset + bytes), encoded.tensors.get(name)!.offset);
    }
    const theirs = new SafeTensor(file);
    const ours = await read(file);
    expect([...theirs.metadata.keys()].sort()).toEqual([...ours.tensors.keys()].sort());
    for (const { name, offset, bytes } of tensors.values()) {
      const place = ours.tensors.get(name)!;
      expect(theirs.metadata.get(name)).toMatchObject({ dtype: place.dtype, shape: place.shape });
      const expected = original.subarray(offset, offset + bytes);
      expect(sameBytes(theirs.getTensor(name), expected), name).toBe(true);
      expect(sameBytes(file.subarray(place.offset, place.offset + place.bytes), expected), name).toBe(true);
    }
  });
});
