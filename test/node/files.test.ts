import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { FileError } from '../../src/engine/errors.ts';
import { folderFiles, openFile, readTextFile } from '../../src/node/files.ts';
import { readReport } from '../../src/node/run-folder.ts';
import { readRun } from '../../src/node/saved-run.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('openFile', () => {
  it('reads ranges, many at once', async () => {
    const path = join(await temporaryFolder(), 'bytes');
    const content = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff);
    await writeFile(path, content);
    const source = await openFile(path);
    expect(source).toMatchObject({ name: path, size: content.length });
    const ranges = Array.from({ length: 200 }, (_, index) => [index * 443, (index * 97) % 5000] as const);
    const chunks = await Promise.all(ranges.map(([offset, length]) => source.read(offset, length)));
    for (const [index, [offset, length]] of ranges.entries()) {
      expect(Buffer.compare(chunks[index]!, content.subarray(offset, offset + length))).toBe(0);
    }
    await source.close();
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(FileError);
  });

  it('reads exactly what was asked for, or says why not', async () => {
    const path = join(await temporaryFolder(), 'bytes');
    await writeFile(path, new Uint8Array(10));
    const source = await openFile(path);
    for (const [offset, length] of [
      [5, 6],
      [11, 0],
      [-1, 1],
      [0, -1],
      [0.5, 1],
      [NaN, 1],
    ] as const) {
      await expect(source.read(offset, length)).rejects.toThrow(FileError);
    }
    expect(await source.read(10, 0)).toHaveLength(0);
    await truncate(path, 4);
    await expect(source.read(0, 10)).rejects.toThrow(/became shorter while it was read/);
    await source.close();
  });

  it('names a file that is not there, or is a folder', async () => {
    const folder = await temporaryFolder();
    await expect(openFile(join(folder, 'absent'))).rejects.toThrow(
      /absent: cannot open the file: no such file$/,
    );
    await expect(openFile(folder)).rejects.toThrow(FileError);
    await expect(openFile(folder)).rejects.toThrow(/is not a file/);
  });
});

describe('folderFiles', () => {
  it('tells a missing file from a missing folder', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'config.json'), '{}');
    const files = folderFiles(folder);
    const source = await files.open('config.json');
    expect(source).toMatchObject({ name: join(folder, 'config.json'), size: 2 });
    await source?.close();
    expect(await files.open('model.safetensors')).toBeUndefined();
    await expect(folderFiles(join(folder, 'absent')).open('a')).rejects.toThrow(/absent: no such folder/);
    await expect(folderFiles(join(folder, 'config.json')).open('a')).rejects.toThrow(
      /config\.json: is a file/,
    );
    await mkdir(join(folder, 'tokenizer.json'));
    await expect(files.open('tokenizer.json')).rejects.toThrow(/tokenizer\.json: is not a file/);
  });

  it('opens the bundled checkpoints', async () => {
    for (const name of ['alice-gpt2', 'alice-pythia']) {
      const checkpoint = await Checkpoint.open(folderFiles(`weights/${name}`));
      expect(checkpoint.name).toBe(`weights/${name}`);
      const [entry] = checkpoint.tensors.values();
      expect(await entry!.source.read(entry!.offset, entry!.bytes)).toHaveLength(entry!.bytes);
      await checkpoint.close();
    }
  });
});

it('reads a whole text only if it is a file and within its budget', async () => {
  const folder = await temporaryFolder();
  const path = join(folder, 'report.json');
  await writeFile(path, '{"é": 1}');
  expect(await readTextFile(path, 9)).toBe('{"é": 1}');
  await expect(readTextFile(path, 8)).rejects.toThrow(
    `${path}: has 9 bytes, and at most 8 are read of such a file; is it the right one?`,
  );
  expect(await readTextFile(join(folder, 'absent'), 9)).toBeUndefined();
  expect(await readTextFile(join(path, 'within'), 9)).toBeUndefined();
  for (const special of [folder, '/dev/zero'])
    await expect(readTextFile(special, 9)).rejects.toThrow(/is not a file but a (folder|device)/);
  await truncate(path, 300 * 2 ** 20);
  for (const read of [readReport(folder), readRun(folder)])
    await expect(read).rejects.toThrow(/report\.json: has 314572800 bytes, and at most 268435456 are read/);
});
