import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileError } from '../../src/engine/errors.ts';
import { makeCheckpoint } from '../../src/node/make-checkpoint.ts';
import { realFileSystem, replaceFileCalls } from '../support/replace-file-calls.ts';
import { temporaryFolder } from './temporary-folder.ts';

const statfs = async (path: string) => ({
  ...(await realFileSystem.statfs(path)),
  bavail: 1000,
  bsize: 4096,
});
replaceFileCalls({ statfs: statfs as typeof realFileSystem.statfs });

it('makes no checkpoint that the disk has no room for', async () => {
  const folder = await temporaryFolder();
  const made = makeCheckpoint({ like: 'pythia-14m', layers: 1, out: join(folder, 'model') });
  await expect(made).rejects.toThrow(FileError);
  await expect(made).rejects.toThrow(/the checkpoint takes \d+ bytes and the disk has 4096000; free some/);
  expect(await readdir(folder)).toEqual([]);
});
