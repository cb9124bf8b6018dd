import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileError } from '../../src/engine/errors.ts';
import { checkWritableFolder, makeFolder } from '../../src/node/folders.ts';
import { temporaryFolder } from './temporary-folder.ts';

describe('makeFolder', () => {
  it('makes what is missing, and says whether anything was', async () => {
    const path = join(await temporaryFolder(), 'deep', 'er');
    expect(await makeFolder(path)).toBe(true);
    expect((await stat(path)).isDirectory()).toBe(true);
    expect(await makeFolder(path)).toBe(false);
  });

  it('lets several make the same folder at once', async () => {
    const path = join(await temporaryFolder(), 'deep', 'er');
    await Promise.all(Array.from({ length: 8 }, () => makeFolder(path)));
    expect((await stat(path)).isDirectory()).toBe(true);
  });

  it('fails where a file is in the way, and where the file system makes no folders', async () => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(file, '');
    await expect(makeFolder(file)).rejects.toThrow(/EEXIST/);
    await expect(makeFolder(join(file, 'inside'))).rejects.toThrow(/ENOTDIR/);
    await expect(makeFolder(join(file, 'deep', 'inside'))).rejects.toThrow(/ENOTDIR/);
    await expect(makeFolder('/proc/laminar/inside')).rejects.toThrow(/mkdir/); // Node's own goes on for ever here
  });
});

describe('checkWritableFolder', () => {
  it('accepts a folder, and one that can be made, without making it', async () => {
    const folder = await temporaryFolder();
    await checkWritableFolder(folder);
    await checkWritableFolder(join(folder, 'deep', 'er'));
    expect(await readdir(folder)).toEqual([]);
  });

  it('names a file that is in the way', async () => {
    const file = join(await temporaryFolder(), 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'deep', 'er')]) {
      await expect(checkWritableFolder(path)).rejects.toThrow(FileError);
      await expect(checkWritableFolder(path)).rejects.toThrow(`${file}: is a file`);
    }
  });
});
