import { readlinkSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open, readdir, readFile, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { FileError } from '../../src/engine/errors.ts';
import { AtomicFile } from '../../src/node/atomic.ts';
import { FileSet } from '../../src/node/file-set.ts';
import { ownerToken } from '../../src/node/owner.ts';
import { cleanUpNow } from '../../src/node/sudden-end.ts';
import { endedToken } from './ended-process.ts';
import { temporaryFolder } from './temporary-folder.ts';

const names = ['figures/a.svg', 'figures/b.svg', 'table.csv', 'report.json'];

async function write(folder: string, run: string, written = names): Promise<void> {
  await using files = await FileSet.open(folder, names);
  for (const name of written) await files.write(name, run);
  await files.commit();
}

/** The files in a folder and what they hold, hidden ones too. */
async function contents(folder: string): Promise<Record<string, string>> {
  const paths = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = paths.filter((path) => path.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const texts = await Promise.all(files.map(async (path) => readFile(path, 'utf8')));
  return Object.fromEntries(files.map((path, index) => [path.slice(folder.length + 1), texts[index]!]));
}

const of = (run: string, written = names) => Object.fromEntries(written.map((name) => [name, run]));

/** Moves files as a swap does, and stops after so many. */
async function swapUntil(steps: number, folder: string, staging: string, written: readonly string[]) {
  const old = [...names].reverse().map((name) => [join(folder, name), join(staging, 'old', name)]);
  const placed = written.map((name) => [join(staging, 'new', name), join(folder, name)]);
  for (const [from, to] of [...old, ...placed].slice(0, steps)) {
    await mkdir(dirname(to!), { recursive: true });
    await rename(from!, to!);
  }
}

/** Where all file handles have their methods. */
async function fileHandlePrototype(): Promise<FileHandle> {
  const handle = await open(fileURLToPath(import.meta.url));
  await handle.close();
  return Object.getPrototypeOf(handle) as FileHandle;
}

describe('FileSet', () => {
  it('swaps the files of two runs and no others', async () => {
    const folder = join(await temporaryFolder(), 'out', 'run');
    await write(folder, 'first');
    expect(await contents(folder)).toEqual(of('first'));
    const mine = { 'notes.txt': 'mine', 'figures/mine.svg': 'mine' };
    for (const [name, text] of Object.entries(mine)) await writeFile(join(folder, name), text);
    const fewer = names.filter((name) => name !== 'figures/a.svg');
    await write(folder, 'second', fewer);
    expect(await contents(folder)).toEqual({ ...of('second', fewer), ...mine });
  });

  it('leaves what was there when it is given up, and no folder that was not', async () => {
    const folder = await temporaryFolder();
    await write(join(folder, 'old'), 'first');
    for (const name of ['old', 'new/deep']) {
      await using files = await FileSet.open(join(folder, name), names);
      await files.write('table.csv', 'second');
    }
    expect(await readdir(folder)).toEqual(['old']);
    expect(await contents(join(folder, 'old'))).toEqual(of('first'));
  });

  it('is one run’s whenever a process was killed, and the next writer finishes or forgets', async () => {
    const written = names.slice(1);
    const [forgotten, finished] = [{ ...of('first') }, of('second', written)];
    // Without a journal; then with one, after every number of moves.
    for (let steps = -1; steps <= names.length + written.length; steps += 1) {
      const folder = await temporaryFolder();
      await write(folder, 'first');
      const token = endedToken();
      const staging = join(folder, `.${token}`);
      for (const name of written) {
        await mkdir(dirname(join(staging, 'new', name)), { recursive: true });
        await writeFile(join(staging, 'new', name), 'second');
      }
      await writeFile(join(folder, '.laminar.lock'), token);
      if (steps >= 0) {
        await writeFile(join(staging, 'swap.json'), JSON.stringify({ all: names, written }));
        await swapUntil(steps, folder, staging, written);
      }
      const seen = Object.entries(await contents(folder)).filter(([name]) => !name.startsWith('.'));
      expect(new Set(seen.map(([, run]) => run)).size).toBeLessThanOrEqual(1);
      const notices: string[] = [];
      const next = await FileSet.open(folder, names, { onNotice: (line) => notices.push(line) });
      const now = Object.fromEntries(
        Object.entries(await contents(folder)).filter(([name]) => !name.startsWith('.')),
      );
      expect(now).toEqual(steps < 0 ? forgotten : finished);
      expect(await readdir(folder)).not.toContain(`.${token}`);
      await next[Symbol.asyncDispose]();
      expect(notices).toHaveLength(steps < 0 || steps === names.length + written.length ? 0 : 1);
    }
  });

  it('finishes the swap of a machine that restarted, and forgets one that makes no sense', async () => {
    for (const [journal, run] of [
      [JSON.stringify({ all: names, written: names }), 'second'],
      ['{"all": ["table.csv"], "written": ["../table.csv"]}', 'first'],
      ['{"all": 1}', 'first'],
      ['{"al', 'first'],
      ['', 'first'],
    ] as const) {
      const folder = await temporaryFolder();
      await write(folder, 'first');
      // Another boot of this machine counts as another machine.
      const token = ownerToken().replace(/^laminar-.{8}/, 'laminar-00000000');
      const staging = join(folder, `.${token}`);
      await mkdir(join(staging, 'new', 'figures'), { recursive: true });
      for (const name of names) await writeFile(join(staging, 'new', name), 'second');
      await writeFile(join(staging, 'swap.json'), journal);
      await (await FileSet.open(folder, names))[Symbol.asyncDispose]();
      expect(await contents(folder), journal).toEqual(of(run));
    }
  });

  // Other systems do not say which file a handle is of.
  it.runIf(process.platform === 'linux')(
    'has every file on the disk before it takes its name, and the names after',
    async () => {
      const folder = await temporaryFolder();
      await using files = await FileSet.open(folder, names);
      for (const name of names) await files.write(name, 'first');
      const synced: string[] = [];
      const prototype = await fileHandlePrototype();
      const sync = vi.spyOn(prototype, 'sync').mockImplementation(function (this: FileHandle) {
        const path = readlinkSync(`/proc/self/fd/${this.fd}`).slice(folder.length + 1);
        synced.push(path.replace(/^\.laminar-[^/]*/, '.staging'));
        return Promise.resolve();
      });
      await files.commit();
      sync.mockRestore();
      const isFolder = (path: string) => !/\.\w+$/.test(path) || path === '.staging';
      expect(synced.filter((path) => !isFolder(path)).sort()).toEqual(
        [...names.map((name) => `.staging/new/${name}`), '.staging/swap.json.new'].sort(),
      );
      expect(synced.filter(isFolder)).toEqual(
        expect.arrayContaining(['.staging/new', '.staging/new/figures', '.staging', '', 'figures']),
      );
      expect(synced.indexOf('.staging')).toBeLessThan(synced.indexOf(''));
    },
  );

  it.each(['EIO', 'ENOSPC'])('keeps the old run if the disk refuses the new one late (%s)', async (code) => {
    const folder = await temporaryFolder();
    await write(folder, 'first');
    const prototype = await fileHandlePrototype();
    const sync = vi
      .spyOn(prototype, 'sync')
      .mockRejectedValue(Object.assign(new Error(code), { code, syscall: 'fsync' }));
    await expect(write(folder, 'second')).rejects.toThrow(FileError);
    const file = await AtomicFile.create(join(folder, 'table.csv'));
    await expect(file.commit()).rejects.toThrow(/table\.csv: cannot write the file: /);
    sync.mockRejectedValue(Object.assign(new Error('EINVAL'), { code: 'EINVAL' }));
    expect(await contents(folder)).toEqual(of('first'));
    await write(folder, 'third'); // a file system that cannot tell
    expect(await contents(folder)).toEqual(of('third'));
    sync.mockRestore();
  });

  it('puts everything back when a file cannot take its place', async () => {
    const folder = await temporaryFolder();
    await write(folder, 'first');
    await using files = await FileSet.open(folder, names);
    for (const name of names) await files.write(name, 'second');
    // What the run is about to write goes away beneath it: the last move fails.
    const staging = (await readdir(folder)).find((name) => name.startsWith('.laminar-'))!;
    await rename(join(folder, staging, 'new', 'report.json'), join(folder, staging, 'new', 'lost'));
    await mkdir(join(folder, staging, 'new', 'report.json'));
    await rename(join(folder, 'report.json'), join(folder, 'first.json'));
    await mkdir(join(folder, 'report.json', 'mine'), { recursive: true });
    await mkdir(join(folder, staging, 'old', 'report.json', 'in the way'), { recursive: true });
    await expect(files.commit()).rejects.toThrow(FileError);
    const kept = of(
      'first',
      names.filter((name) => name !== 'report.json'),
    );
    expect(await contents(folder)).toEqual({ ...kept, 'first.json': 'first' });
  });

  it('refuses a second writer by name, and takes over from one that ended', async () => {
    const folder = await temporaryFolder();
    await using first = await FileSet.open(folder, names);
    await expect(FileSet.open(folder, names)).rejects.toThrow(
      `${folder}: process ${process.pid} is writing into it; wait until it is done, or give another --out`,
    );
    await first[Symbol.asyncDispose]();
    const lock = join(folder, '.laminar.lock');
    const another = ownerToken().replace(/^laminar-.{8}/, 'laminar-00000000');
    for (const [token, age, isFree] of [
      [endedToken(), 0, true],
      // The number is another process's by now.
      [ownerToken().replace(/-s\d+-/, '-s1-'), 0, process.platform === 'linux'],
      [another, 0, false],
      [another, 60, true],
      [ownerToken(), 3600, false],
    ] as const) {
      await writeFile(lock, token);
      const then = new Date(Date.now() - 1000 * age);
      await utimes(lock, then, then);
      const opened = FileSet.open(folder, names);
      if (isFree) await (await opened)[Symbol.asyncDispose]();
      else await expect(opened).rejects.toThrow(/is writing into it/);
    }
  });

  it('says before the work what cannot be written', async () => {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'a', 'report.json'), { recursive: true });
    await mkdir(join(folder, 'b'));
    await writeFile(join(folder, 'b', 'figures'), '');
    await symlink(folder, join(folder, 'loop'));
    for (const [path, message] of [
      ['a', /report\.json: is a folder; give the path of a file/],
      ['b', /figures: is a file, where a folder is needed/],
      ['b/figures', /figures: is a file, where a folder is needed/],
      ['x'.repeat(300), /cannot write into the folder: a name in the path is too long/],
    ] as const) {
      await expect(FileSet.open(join(folder, path), names)).rejects.toThrow(FileError);
      await expect(FileSet.open(join(folder, path), names)).rejects.toThrow(message);
    }
    expect((await readdir(folder)).sort()).toEqual(['a', 'b', 'loop']);
    expect(await readdir(join(folder, 'a'))).toEqual(['report.json']);
    expect((await stat(join(folder, 'b', 'figures'))).size).toBe(0);
  });
});

it('leaves nothing where the process ends all of a sudden', async () => {
  const folder = await temporaryFolder();
  await write(join(folder, 'old'), 'first');
  const set = await FileSet.open(join(folder, 'new', 'deep'), names);
  await set.write('figures/a.svg', 'second');
  await FileSet.open(join(folder, 'old'), names);
  const file = await AtomicFile.create(join(folder, 'old', 'table.csv'));
  await file.write(0, Uint8Array.of(1));
  cleanUpNow();
  await file.abort(); // closes it
  expect(await readdir(folder)).toEqual(['old']);
  expect(await contents(join(folder, 'old'))).toEqual(of('first'));
});
