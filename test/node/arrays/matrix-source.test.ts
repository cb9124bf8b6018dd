import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, InputError, LaminarError } from '../../../src/engine/errors.ts';
import { encodeHeader } from '../../../src/engine/safetensors.ts';
import { openMatrices } from '../../../src/node/arrays/matrix-source.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { npyFile, zipFile } from './make-files.ts';
import type { ZipMember } from './make-files.ts';

async function inFile(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  return path;
}

type Tensors = Readonly<Record<string, readonly [dtype: string, shape: readonly number[]]>>;

/** A safetensors file whose bytes are all zero. */
function safetensorsFile(tensors: Tensors): Uint8Array {
  const header = encodeHeader(
    Object.entries(tensors).map(([name, [dtype, shape]]) => ({ name, dtype, shape })),
  );
  const file = new Uint8Array(header.fileSize);
  file.set(header.bytes);
  return file;
}

/** What is chosen of a file: name, slices, rows and columns of each tensor, and the notices. */
async function chosen(path: string, wanted?: string) {
  await using file = await openMatrices(path, wanted);
  return {
    isDict: file.isDict,
    sources: file.sources.map(({ tensor, slices, rows, columns, isStack }) => [
      tensor,
      ...(isStack ? [slices] : []),
      rows,
      columns,
    ]),
    notices: file.notices.map((notice) => notice.replace(path, 'FILE')),
  };
}

const failure = (path: string, wanted?: string) =>
  chosen(path, wanted).then(
    () => undefined,
    (error: unknown) => error as Error,
  );

const matrix: readonly [string, number[]] = ['F32', [3, 2]];

describe('openMatrices', () => {
  it.each<[number[], unknown[]]>([
    [
      [3, 2],
      [3, 2],
    ],
    [
      [1, 3, 2],
      [3, 2],
    ],
    [
      [1, 1, 3, 2],
      [3, 2],
    ],
    [
      [4, 3, 2],
      [4, 3, 2],
    ],
    [
      [4, 1, 3, 2],
      [4, 3, 2],
    ],
    [
      [1, 4, 3, 2],
      [4, 3, 2],
    ],
    [
      [4, 1, 2],
      [4, 1, 2],
    ],
    [
      [1, 2],
      [1, 2],
    ],
  ])('takes shape %j as %j', async (shape, expected) => {
    const path = await inFile('a.safetensors', safetensorsFile({ states: ['F32', shape] }));
    expect(await chosen(path)).toEqual({ isDict: false, sources: [['states', ...expected]], notices: [] });
    expect(await chosen(path, 'states')).toMatchObject({ isDict: false });
  });

  it('takes matrices of any widths as layers, in natural order', async () => {
    const names = ['blocks.10.hook_resid_post', 'blocks.2.hook_resid_post', 'blocks.2.attn', 'blocks.1'];
    const tensors = Object.fromEntries(names.map((name, index) => [name, ['F32', [3, index + 1]] as const]));
    const path = await inFile('a.safetensors', safetensorsFile(tensors));
    const sources = [
      ['blocks.1', 3, 4],
      ['blocks.2.attn', 3, 3],
      ['blocks.2.hook_resid_post', 3, 2],
      ['blocks.10.hook_resid_post', 3, 1],
    ];
    expect(await chosen(path)).toEqual({ isDict: true, sources, notices: [] });
    expect((await chosen(path, 'blocks.*.hook_resid_post')).sources).toEqual(sources.slice(2));
    expect(await chosen(path, 'blocks.1*')).toMatchObject({
      isDict: true,
      sources: [sources[0], sources[3]],
    });
    expect(await chosen(path, 'blocks.1')).toMatchObject({ isDict: false, sources: [sources[0]] });
    const none = await failure(path, 'layers.*');
    expect(none).toBeInstanceOf(InputError);
    expect(none!.message).toMatch(/--tensor layers\.\*: .* has no such tensor; it has blocks\.1, blocks\.2/);
  });

  it('names what it leaves out: vectors, other types, and integers beside floats', async () => {
    const tensors: Tensors = {
      'layer.0': matrix,
      ids: ['I32', [3]],
      mask: ['I64', [1, 3]],
      'layer.1': matrix,
      part: ['F8_E4M3', [2, 2]],
      none: ['F32', [0, 2]],
    };
    const path = await inFile('a.safetensors', safetensorsFile(tensors));
    const { sources, notices } = await chosen(path);
    expect(sources.map(([tensor]) => tensor)).toEqual(['layer.0', 'layer.1']);
    expect(notices).toEqual([
      expect.stringMatching(/^FILE: tensor ids is left out: it has shape \[3\]/),
      expect.stringMatching(
        /^FILE: tensor mask is left out: it holds I64, not floats as the others do; --tensor mask/,
      ),
      expect.stringMatching(/^FILE: tensor none is left out: it has shape \[0, 2\]; a matrix [^:]*needed$/),
      expect.stringMatching(/^FILE: tensor part is left out: it has dtype F8_E4M3/),
    ]);
    expect((await chosen(path, 'mask')).sources).toEqual([['mask', 1, 3]]);
    for (const wanted of ['ids', 'part', 'none', 'i*']) {
      const error = await failure(path, wanted);
      expect(error).toBeInstanceOf(InputError);
      expect(error!.message).toMatch(`--tensor ${wanted}: `);
    }
  });

  it('asks which one where a stack is among several tensors, and refuses a file of nothing but vectors', async () => {
    const path = await inFile(
      'a.safetensors',
      safetensorsFile({ stack: ['F32', [2, 3, 2]], end: matrix, ids: ['I32', [3]] }),
    );
    const error = await failure(path);
    expect(error).toBeInstanceOf(InputError);
    expect(error!.message).toMatch(/holds 3 tensors.*--tensor one of end, stack$/);
    expect((await chosen(path, 'stack')).sources).toEqual([['stack', 2, 3, 2]]);
    const vectors = await inFile('b.safetensors', safetensorsFile({ a: ['F32', [3]], b: ['F32', [2]] }));
    expect(await failure(vectors)).toBeInstanceOf(FormatError);
    expect((await failure(vectors))!.message).toMatch(/holds no matrix .* it has a, b$/);
  });

  it('refuses a name for the array of a .npy file, which has none', async () => {
    const path = await inFile('a.npy', npyFile(new Float32Array(6)));
    expect((await chosen(path)).sources).toEqual([[null, 2, 3]]);
    expect(await failure(path, 'x')).toBeInstanceOf(InputError);
  });
});

describe('a .npz file', () => {
  const first = Float64Array.of(1, 2, 3, 4, 5, 6);
  const second = Float64Array.from({ length: 24 }, (_, index) => index / 7);
  const members: ZipMember[] = [
    { path: 'layer.10.npy', data: npyFile(second, { descr: "'<f8'", shape: '(2, 3, 4)' }), deflated: true },
    { path: 'layer.2.npy', data: npyFile(first, { descr: "'<f8'" }) },
  ];

  it.each([
    ['stored and deflated', {}],
    ['zip64', { zip64: true }],
  ])('is read, %s', async (_, options) => {
    const path = await inFile('a.npz', zipFile(members.map((member) => ({ ...member, ...options }))));
    await using small = await openMatrices(path, 'layer.2');
    expect([...(await small.sources[0]!.read(0))]).toEqual([...first]);
    await using stack = await openMatrices(path, 'layer.10');
    const [source] = stack.sources;
    expect([...(await source!.read(0))]).toEqual([...second.subarray(0, 12)]);
    expect([...(await source!.read(1))]).toEqual([...second.subarray(12)]);
    expect([...(await source!.read(0))]).toEqual([...second.subarray(0, 12)]);
  });

  it('names what cannot be read in it', async () => {
    const notes = { path: 'notes.txt', data: Buffer.from('hello') };
    const odd = { path: 'odd.npy', data: npyFile(first), method: 12 };
    const objects = { path: 'objects.npy', data: npyFile(first, { descr: "'|O'" }) };
    const path = await inFile('a.npz', zipFile([members[1]!, notes, odd, objects]));
    const { sources, notices } = await chosen(path);
    expect(sources).toEqual([['layer.2', 2, 3]]);
    expect(notices).toEqual([
      expect.stringMatching(/tensor notes\.txt is left out: it is not a \.npy file/),
      expect.stringMatching(/tensor objects is left out: it holds Python objects/),
      expect.stringMatching(/tensor odd is left out: it is encrypted or compressed/),
    ]);
  });

  it('is refused where it is damaged', async () => {
    const good = zipFile(members);
    for (const length of [30, 200, good.length - 4]) {
      const error = await failure(await inFile('a.npz', good.subarray(0, length)));
      expect(error).toBeInstanceOf(FormatError);
      expect(error!.message).toMatch(/a\.npz: the zip archive is damaged or cut off \(.*\); save it again$/);
    }
    const twice = await failure(await inFile('a.npz', zipFile([members[1]!, members[1]!])));
    expect(twice!.message).toMatch(/two files layer\.2\.npy/);

    const wrong = zipFile(members.map((member) => ({ ...member, checksum: 1 })));
    await using file = await openMatrices(await inFile('b.npz', wrong), 'layer.2');
    await expect(file.sources[0]!.read(0)).rejects.toThrow(/tensor layer\.2: does not fit its checksum/);

    const corrupt = Buffer.from(good);
    corrupt.fill(0xff, 60, 90);
    const error = await failure(await inFile('c.npz', corrupt));
    expect(error).toBeInstanceOf(FormatError);
    expect(error!.message).toMatch(/c\.npz: tensor layer\.10: the zip archive is damaged/);
  });
});

it('a .npz file with any byte changed is read or refused by name', async () => {
  const data = npyFile(Float32Array.of(1, 2, 3, 4, 5, 6));
  const good = zipFile([
    { path: 'a.npy', data, deflated: true, zip64: true },
    { path: 'b.npy', data },
  ]);
  const path = await inFile('a.npz', good);
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: good.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      async (at, change) => {
        const changed = Buffer.from(good);
        changed[at]! ^= change;
        await writeFile(path, changed);
        try {
          await using file = await openMatrices(path, undefined);
          for (const { read } of file.sources) await read(0);
        } catch (error) {
          expect(error).toBeInstanceOf(LaminarError);
          expect((error as Error).message.startsWith(`${path}: `)).toBe(true);
        }
      },
    ),
    { numRuns: 300 },
  );
});

describe('another shape', () => {
  it.each([
    [
      [2, 2, 10, 24],
      /shape \[2, 2, 10, 24\]; .*needed: save array\.reshape\(4, 10, 24\) .* 4 matrices, or .*array\[0, 0\]$/,
    ],
    [[3, 1, 2, 2, 2], /save array\.reshape\(6, 2, 2\) .*array\[0, 0, 0\]$/],
    [[24], /shape \[24\]; .*needed: save vectors as the rows of one matrix, with numpy\.stack/],
    [[], /shape \[\]; .*numpy\.stack/],
    [[0, 24], /shape \[0, 24\]; .*needed: it is empty/],
  ])('%j is refused with what to save', async (shape, message) => {
    const path = await inFile('a.safetensors', safetensorsFile({ states: ['F32', shape] }));
    expect((await failure(path))!.message).toMatch(message);
    expect((await failure(path, 'states'))!.message).toMatch(message);
  });
});

it('a stack of more matrices than are measured at once is refused before one is read', async () => {
  const path = await inFile('a.safetensors', safetensorsFile({ states: ['F32', [65_537, 1, 1]] }));
  const error = await failure(path);
  expect(error).toBeInstanceOf(FormatError);
  expect(error!.message).toMatch(/holds 65537 matrices, and at most 65536 are measured at once/);
});

describe('another kind of file', () => {
  const latin1 = (text: string) => Buffer.from(text, 'latin1');
  const pickle = { path: 'archive/data.pkl', data: latin1('\x80\x02}.') };
  it.each<[string, Uint8Array, RegExp]>([
    ['a.pt', zipFile([pickle]), /is a PyTorch file.*safetensors\.torch\.save_file/],
    ['a.bin', zipFile([pickle]), /is a PyTorch file/],
    ['cut.pt', zipFile([pickle]).subarray(0, 60), /is a PyTorch file/],
    ['old.bin', latin1('\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80'), /is a PyTorch file/],
    ['a.npy', latin1('\x80\x04\x95\x00\x00'), /is a Python pickle.*numpy\.save/],
    ['a.pkl', latin1('(lp0\nI1\naF2.5\na.'), /is a Python pickle.*numpy\.save/],
    ['a.zip', zipFile([{ path: 'a.txt', data: latin1('a') }]), /zip archive without \.npy files/],
    ['empty.zip', zipFile([]), /zip archive without \.npy files/],
    ['a.h5', latin1('\x89HDF\r\n\x1a\n\0\0'), /HDF5 file.*h5py/],
    ['a.mat', latin1('MATLAB 5.0 MAT-file, Platform'), /MATLAB file.*loadmat/],
    ['a.parquet', latin1('PAR1\x15\x04'), /Parquet file.*read_parquet/],
    ['a.arrow', latin1('ARROW1\0\0'), /Arrow file/],
    ['a.gguf', latin1('GGUF\x03\0\0\0'), /GGUF checkpoint/],
    ['a.npy.gz', latin1('\x1f\x8b\x08\0'), /gzip archive.*decompress/],
    ['a.pdf', latin1('%PDF-1.7'), /PDF document/],
    ['a.png', latin1('\x89PNG\r\n\x1a\n\0'), /PNG picture/],
    ['a.csv', latin1('1.5,2e-3\n3,4\n'), /is text.*numpy\.loadtxt\(path, delimiter=','\)/],
    ['b.csv', latin1('\xef\xbb\xbfx,y\r\n3,4\r\n'), /loadtxt\(path, delimiter=',', skiprows=1\)/],
    ['a.tsv', latin1('1\t2\n'), /delimiter='\\t'/],
    ['a.txt', latin1('1 2 3\n4 5 6\n'), /loadtxt\(path\)/],
    ['wide.txt', Buffer.from('\ufeff1,2\n', 'utf16le'), /is text/],
    ['a.json', latin1('[[1, 2], [3, 4]]'), /JSON text.*json\.load/],
    ['page.safetensors', latin1('<!DOCTYPE html><html>'), /web page.*download/],
    ['lfs.safetensors', latin1('version https://git-lfs.github.com/spec/v1\n'), /git lfs pull/],
    ['none.npy', Buffer.alloc(0), /empty file/],
    ['noise', latin1('\x01\x02\x03\x04\xff\xfe\xfd\xfc\xfb\xfa'), /is not a \.npy file.*numpy\.save/],
  ])('%s is refused in one line that says what to do', async (name, content, message) => {
    const path = await inFile(name, content);
    const error = await failure(path);
    expect(error).toBeInstanceOf(FormatError);
    expect(error!.message).toMatch(message);
    expect(error!.message).toMatch(/not a \.npy file, \.npz file or safetensors file; \w/);
    expect(error!.message).not.toMatch(/\n/);
    expect(error!.message.startsWith(`${path}: is `)).toBe(true);
  });
});
