import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { HubError } from '../../src/node/hub.ts';
import { COMMIT, OTHER_COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';
import { etagOf, largeFile } from '../support/hub-server.ts';
import { realFileSystem, replaceFileCalls } from '../support/replace-file-calls.ts';

/** What the file system of these tests refuses, beyond what the real one does. */
const disk = { isReadOnly: false, room: Infinity };

const failure = (code: string, syscall: string, path: unknown) =>
  Object.assign(new Error(`${code}: ${syscall}`), { code, syscall, path });

/** A call that a read-only disk refuses. */
function whereWritable<Arguments extends unknown[], Result>(
  syscall: string,
  call: (...given: Arguments) => Promise<Result>,
): (...given: Arguments) => Promise<Result> {
  return (...given) =>
    disk.isReadOnly ? Promise.reject(failure('EROFS', syscall, given.at(-1))) : call(...given);
}

const real = realFileSystem;
replaceFileCalls({
  mkdir: whereWritable('mkdir', real.mkdir) as typeof real.mkdir,
  symlink: whereWritable('symlink', real.symlink),
  rename: whereWritable('rename', real.rename),
  writeFile: whereWritable('open', real.writeFile),
  open: async (path, ...how) => {
    const handle = await real.open(path, ...how);
    const write = handle.write.bind(handle) as typeof handle.write;
    Object.assign(handle, {
      write: (bytes: Uint8Array, offset: number, length: number, position: number) => {
        const fits = Math.min(length, disk.room);
        if (fits <= 0) return Promise.reject(failure('ENOSPC', 'write', path));
        disk.room -= fits;
        return write(bytes, offset, fits, position);
      },
    });
    return handle;
  },
});

const hub = useHub();
const WEIGHTS = largeFile(50_000);

afterEach(() => {
  Object.assign(disk, { isReadOnly: false, room: Infinity });
});

function inCache(...path: string[]): string {
  return join(hub.cacheFolder, 'models--gpt2', ...path);
}

test('a disk that fills up is one line; what fitted is kept, under no final name, and resumed', async () => {
  addModel(hub.server, 'gpt2', singleFileModel(WEIGHTS));
  disk.room = 20_000;
  const error: unknown = await hub.resolve('gpt2').catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HubError);
  expect((error as Error).message).toMatch(
    /^cannot use the cache folder .*\(ENOSPC at .*\): the disk is full; free space there, or name another one in HF_HUB_CACHE$/,
  );
  const blobs = await readdir(inCache('blobs'));
  expect(blobs).not.toContain(etagOf(WEIGHTS));
  expect(blobs).toContain(`${etagOf(WEIGHTS)}.incomplete`);
  expect(await readdir(inCache('snapshots', COMMIT))).not.toContain('model.safetensors');

  disk.room = Infinity;
  const { folder } = await hub.resolve('gpt2');
  expect((await readFile(join(folder, 'model.safetensors'))).equals(WEIGHTS.bytes)).toBe(true);
  expect(hub.server.bodiesOf('model.safetensors').at(-1)?.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
  expect((await readdir(inCache('blobs'))).filter((name) => name.endsWith('.incomplete'))).toEqual([]);
});

test('a read-only cache serves what it holds, and refuses the rest in one line', async () => {
  const files = singleFileModel(WEIGHTS);
  addModel(hub.server, 'gpt2', files);
  const first = await hub.resolve('gpt2');
  disk.isReadOnly = true;
  expect(await hub.resolve('gpt2')).toEqual(first);
  expect(hub.notices).toEqual([]);

  addModel(hub.server, 'gpt2', files, ['step1000']);
  expect((await hub.resolve('gpt2', { revision: 'step1000' })).folder).toBe(first.folder);
  expect(hub.notices.at(-1)).toMatch(/^cannot note step1000 in the cache: EROFS/);

  addModel(hub.server, 'gpt2', files, ['step2000'], OTHER_COMMIT);
  await expect(hub.resolve('gpt2', { revision: 'step2000' })).rejects.toThrow(
    /^cannot use the cache folder .*\(EROFS at .*\): it is read-only; make it writable/,
  );
});
