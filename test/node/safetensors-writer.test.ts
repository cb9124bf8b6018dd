import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SafeTensor } from 'safetensors';
import { describe, expect, it } from 'vitest';
import { decodeFloats } from '../../src/engine/decode.ts';
import { FormatError, InputError } from '../../src/engine/errors.ts';
import { readHeader } from '../../src/engine/safetensors.ts';
import { openFile } from '../../src/node/files.ts';
import { SafetensorsWriter } from '../../src/node/safetensors-writer.ts';
import { temporaryFolder } from './temporary-folder.ts';

const declarations = [
  { name: 'ids', dtype: 'I32', shape: [3] },
  { name: 'mask', dtype: 'BOOL', shape: [5] },
  { name: 'states', dtype: 'F32', shape: [2, 2, 2] },
  { name: 'none', dtype: 'F32', shape: [0] },
];
const states = Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);

async function writeAll(path: string, metadata?: Record<string, string>): Promise<SafetensorsWriter> {
  const writer = await SafetensorsWriter.create(path, declarations, metadata);
  await writer.append('states', states.subarray(0, 3));
  await writer.append('ids', Int32Array.of(7, 8, 9));
  await Promise.all([
    writer.append('states', states.subarray(3, 4)),
    writer.append('mask', Uint8Array.of(1, 0, 1, 0, 1)),
    writer.append('states', states.subarray(4)),
  ]);
  return writer;
}

describe('SafetensorsWriter', () => {
  it('writes chunks of tensors in any order, and the file appears at commit', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'out.safetensors');
    const writer = await writeAll(path, { format: 'pt' });
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
    await writer.commit();
    expect(await readdir(folder)).toEqual(['out.safetensors']);

    const source = await openFile(path);
    expect(source.size).toBe(writer.fileSize);
    const header = await readHeader(source);
    expect(header.metadata).toEqual(new Map([['format', 'pt']]));
    const read = async (name: string) => {
      const { offset, bytes } = header.tensors.get(name)!;
      return source.read(offset, bytes);
    };
    expect(decodeFloats('F32', await read('states'), path)).toEqual(states);
    expect(new Int32Array((await read('ids')).buffer)).toEqual(Int32Array.of(7, 8, 9));
    expect(await read('mask')).toEqual(Uint8Array.of(1, 0, 1, 0, 1));
    await source.close();
  });

  it("writes what npm's safetensors reads", async () => {
    const path = join(await temporaryFolder(), 'out.safetensors');
    await (await writeAll(path)).commit();
    const theirs = new SafeTensor(new Uint8Array(await readFile(path)));
    expect(theirs.metadata.get('states')).toMatchObject({ dtype: 'F32', shape: [2, 2, 2] });
    expect(decodeFloats('F32', theirs.getTensor('states'), path)).toEqual(states);
    expect(theirs.getTensor('none')).toHaveLength(0);
  });

  it('gives the file up when a tensor is incomplete', async () => {
    const folder = await temporaryFolder();
    const writer = await SafetensorsWriter.create(join(folder, 'out'), declarations);
    await writer.append('ids', Int32Array.of(1));
    await expect(writer.commit()).rejects.toThrow(InputError);
    expect(await readdir(folder)).toEqual([]);
  });

  it('gives the file up when a tensor gets too much, or was not declared', async () => {
    const folder = await temporaryFolder();
    for (const [name, chunk] of [
      ['ids', new Int32Array(4)],
      ['other', new Int32Array(1)],
    ] as const) {
      const writer = await SafetensorsWriter.create(join(folder, 'out'), declarations);
      await expect(writer.append(name, chunk)).rejects.toThrow(new RegExp(`tensor ${name}`));
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('makes no file from impossible declarations', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'out');
    await expect(SafetensorsWriter.create(path, [declarations[0]!, declarations[0]!])).rejects.toThrow(
      FormatError,
    );
    expect(await readdir(folder)).toEqual([]);
  });
});
