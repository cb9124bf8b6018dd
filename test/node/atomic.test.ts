import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FileError } from '../../src/engine/errors.ts';
import { AtomicFile, checkWritableFile } from '../../src/node/atomic.ts';
import { ownerToken } from '../../src/node/owner.ts';
import { endedToken } from './ended-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

async function writeWhole(path: string, content: Uint8Array): Promise<void> {
  const file = await AtomicFile.create(path);
  await file.write(0, content);
  await file.commit();
}

describe('AtomicFile', () => {
  it('appears at commit, with its chunks in their places', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'deep', 'er', 'file');
    const file = await AtomicFile.create(path);
    await Promise.all([file.write(6, bytes('world')), file.write(0, bytes('hello '))]);
    await expect(readFile(path)).rejects.toThrow(/ENOENT/);
    await file.commit();
    expect(await readFile(path, 'utf8')).toBe('hello world');
    expect(await readdir(join(folder, 'deep', 'er'))).toEqual(['file']);
  });

  it('leaves what was there when it is aborted', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'file');
    await writeFile(path, 'before');
    const file = await AtomicFile.create(path);
    await file.write(0, bytes('after'));
    expect(await readdir(folder)).toHaveLength(2);
    await file.abort();
    await file.abort();
    expect(await readdir(folder)).toEqual(['file']);
    expect(await readFile(path, 'utf8')).toBe('before');
    await expect(file.write(0, bytes('x'))).rejects.toThrow(FileError);
    await expect(file.commit()).rejects.toThrow(FileError);
  });

  it('replaces a file', async () => {
    const path = join(await temporaryFolder(), 'file');
    await writeWhole(path, bytes('Δ'));
    expect(await readFile(path, 'utf8')).toBe('Δ');
    await writeWhole(path, Uint8Array.of(1, 2));
    expect([...(await readFile(path))]).toEqual([1, 2]);
  });

  it('is gone when it cannot take its name', async () => {
    const folder = await temporaryFolder();
    const file = await AtomicFile.create(join(folder, 'taken'));
    await mkdir(join(folder, 'taken', 'inside'), { recursive: true });
    await expect(file.commit()).rejects.toThrow(/taken: cannot write the file/);
    expect(await readdir(folder)).toEqual(['taken']);
  });

  it('takes the place of files alone, not of folders and devices', async () => {
    const folder = await temporaryFolder();
    for (const create of [AtomicFile.create, checkWritableFile]) {
      await expect(create(folder)).rejects.toThrow(`${folder}: is a folder; give the path of a file`);
      await expect(create('/dev/null')).rejects.toThrow(
        '/dev/null: is not an ordinary file; give another path',
      );
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('removes what killed processes left, and not what others write', async () => {
    const folder = await temporaryFolder();
    const tokens = { dead: endedToken(), alive: ownerToken() };
    for (const token of Object.values(tokens)) {
      await mkdir(join(folder, `.${token}`));
      await writeFile(join(folder, `.${token}`, 'file'), 'half');
    }
    await mkdir(join(folder, '.laminar-mine'));
    await writeWhole(join(folder, 'file'), bytes('whole'));
    expect((await readdir(folder)).sort()).toEqual([`.${tokens.alive}`, '.laminar-mine', 'file'].sort());
  });

  it('refuses before the work a name that cannot be', async () => {
    const folder = await temporaryFolder();
    const long = join(folder, 'new', 'x'.repeat(300));
    await expect(checkWritableFile(long)).rejects.toThrow(
      `${long}: cannot write the file: a name in the path is too long`,
    );
    await expect(checkWritableFile(join(folder, 'new/'))).rejects.toThrow(/is a folder/);
    await checkWritableFile(join(folder, 'new', 'x'.repeat(255)));
    expect(await readdir(folder)).toEqual([]);
  });

  it('names the file when its folder cannot be made', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'file'), '');
    await expect(AtomicFile.create(join(folder, 'file', 'inside'))).rejects.toThrow(FileError);
    await expect(AtomicFile.create(join(folder, 'file', 'inside'))).rejects.toThrow(
      /inside: cannot write the file/,
    );
  });

  it('is gone when the disk is full', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'file');
    const file = await AtomicFile.create(path);
    await file.write(0, bytes('x'));
    const other = await open(join(folder, 'other'), 'w');
    const handles = Object.getPrototypeOf(other) as FileHandle;
    await other.close();
    await rm(join(folder, 'other'));
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const writing = vi.spyOn(handles, 'write').mockRejectedValueOnce(full);
    await expect(file.write(1, bytes('y'))).rejects.toThrow(/file: cannot write the file/);
    expect(writing).toHaveBeenCalledOnce();
    expect(await readdir(folder)).toEqual([]);
    writing.mockRestore();
  });
});
