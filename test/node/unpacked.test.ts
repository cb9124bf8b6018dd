import {
  chmod,
  chown,
  mkdir,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DeviceError } from '../../src/engine/errors.ts';
import { cachePlaces, makePrivateFolder } from '../../src/node/private-folder.ts';
import { unpackPrograms } from '../../src/node/unpacked.ts';
import type { Programs } from '../../src/node/unpacked.ts';
import { realFileSystem, replaceFileCalls } from '../support/replace-file-calls.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** Folders from which no program may run, as on a file system that is mounted so. */
const noexec = new Set<string>();
replaceFileCalls({
  access: async (path, mode) => {
    if ([...noexec].some((folder) => String(path).startsWith(folder))) {
      throw Object.assign(new Error('EACCES'), { code: 'EACCES' });
    }
    return realFileSystem.access(path, mode);
  },
});
beforeEach(() => {
  noexec.clear();
});

const content = new Map([
  ['bin/deep/driver.so', Buffer.from('a driver of no use')],
  ['index.js', Buffer.from('export {};')],
]);

/** Programs that count how often they were unpacked. */
function programs(compare: Programs['compare'] = 'content') {
  const unpack = vi.fn(async () => Promise.resolve(content));
  return { name: 'driver-1.0', compare, unpack };
}

async function expectWhole(folder: string): Promise<void> {
  for (const [path, expected] of content) expect(await readFile(join(folder, path))).toEqual(expected);
  const modes = await Promise.all(
    ['..', '.', 'bin/deep/driver.so'].map(async (path) => (await stat(join(folder, path))).mode & 0o777),
  );
  expect(modes).toEqual([0o700, 0o700, 0o700]);
  const names = await readdir(folder, { recursive: true });
  expect(names.filter((name) => name.endsWith('.partial'))).toEqual([]);
}

it('unpacks once into a private folder, whatever the umask', async () => {
  const place = join(await temporaryFolder(), 'cache', 'laminar');
  const driver = programs();
  const before = process.umask(0);
  try {
    const { folder, refused } = await unpackPrograms(driver, [place]);
    expect([folder, refused]).toEqual([join(place, 'driver-1.0'), []]);
    await expectWhole(folder);
    expect(await unpackPrograms(driver, [place])).toEqual({ folder, refused });
    expect(driver.unpack).toHaveBeenCalledTimes(1);
  } finally {
    process.umask(before);
  }
});

it('lets several unpack at once, each finding the whole', async () => {
  const place = join(await temporaryFolder(), 'laminar');
  const all = await Promise.all(Array.from({ length: 8 }, () => unpackPrograms(programs(), [place])));
  expect(new Set(all.map(({ folder }) => folder)).size).toBe(1);
  await expectWhole(all[0]!.folder);
});

describe('a copy that cannot be trusted is unpacked anew', () => {
  const altered = Buffer.from('A driver of no use');
  const damages: readonly [string, (folder: string) => Promise<void>][] = [
    ['truncated', (folder) => truncate(join(folder, 'bin/deep/driver.so'), 5)],
    ['altered', (folder) => writeFile(join(folder, 'bin/deep/driver.so'), altered)],
    ['a missing file', (folder) => rm(join(folder, 'index.js'))],
    ['an empty list', (folder) => writeFile(join(folder, 'files.json'), '{}')],
    ['a broken list', (folder) => truncate(join(folder, 'files.json'), 9)],
    ['a list that is gone', (folder) => rm(join(folder, 'files.json'))],
    ['a file that others can write', (folder) => chmod(join(folder, 'index.js'), 0o777)],
    ['a folder within that the group can write', (folder) => chmod(join(folder, 'bin'), 0o770)],
    ['the whole that the group can write', (folder) => chmod(folder, 0o770)],
    ['the place that others can write', (folder) => chmod(join(folder, '..'), 0o777)],
    [
      'a folder in place of a file',
      async (folder) => {
        await rm(join(folder, 'index.js'));
        await mkdir(join(folder, 'index.js', 'deep'), { recursive: true });
      },
    ],
    [
      'a link to the same file',
      async (folder) => {
        await rm(join(folder, 'index.js'));
        await writeFile(join(folder, '..', 'elsewhere.js'), content.get('index.js')!);
        await symlink('../elsewhere.js', join(folder, 'index.js'));
      },
    ],
    [
      'a link to a folder',
      async (folder) => {
        const elsewhere = join(folder, '..', 'elsewhere');
        await mkdir(join(elsewhere, 'deep'), { recursive: true });
        await writeFile(join(elsewhere, 'deep', 'driver.so'), content.get('bin/deep/driver.so')!);
        await rm(join(folder, 'bin'), { recursive: true });
        await symlink('../elsewhere', join(folder, 'bin'));
      },
    ],
  ];
  it.each(damages)('%s', async (_, damage) => {
    const place = join(await temporaryFolder(), 'laminar');
    const { folder } = await unpackPrograms(programs(), [place]);
    await damage(folder);
    const again = programs();
    expect(await unpackPrograms(again, [place])).toEqual({ folder, refused: [] });
    expect(again.unpack).toHaveBeenCalledTimes(1);
    await expectWhole(folder);
  });

  it('large programs are compared by size', async () => {
    const place = join(await temporaryFolder(), 'laminar');
    const driver = programs('sizes');
    const { folder } = await unpackPrograms(driver, [place]);
    await truncate(join(folder, 'bin/deep/driver.so'), 5);
    await unpackPrograms(driver, [place]);
    await unpackPrograms(driver, [place]);
    expect(driver.unpack).toHaveBeenCalledTimes(2);
    await expectWhole(folder);
  });
});

describe('a place that cannot be used is named, and the next is taken', () => {
  /** Root may give folders away; anyone else finds root's about. */
  const isRoot = process.getuid!() === 0;
  const places: readonly [string, RegExp, (root: string) => Promise<string>][] = [
    [
      'a folder of another user',
      /: belongs to another user \(number \d+\)/,
      async (root) => {
        if (!isRoot) return '/usr/share';
        await mkdir(join(root, 'laminar'));
        await chown(join(root, 'laminar'), 12345, 12345);
        return join(root, 'laminar');
      },
    ],
    [
      'a link',
      /laminar: is a link/,
      async (root) => {
        await mkdir(join(root, 'elsewhere'));
        await symlink('elsewhere', join(root, 'laminar'));
        return join(root, 'laminar');
      },
    ],
    [
      'a link that leads nowhere',
      /laminar: is a link/,
      async (root) => {
        await symlink('nowhere', join(root, 'laminar'));
        return join(root, 'laminar');
      },
    ],
    [
      'a file',
      /laminar: is a file/,
      async (root) => {
        await writeFile(join(root, 'laminar'), '');
        return join(root, 'laminar');
      },
    ],
    [
      'below a folder that others can write',
      /open: other users may write into it/,
      async (root) => {
        await mkdir(join(root, 'open'));
        await chmod(join(root, 'open'), 0o777);
        return join(root, 'open', 'laminar');
      },
    ],
    ['below a file', /cannot unpack into the folder/, () => Promise.resolve('/dev/null/laminar')],
    ['where no folder can be made', /\/proc\/laminar/, () => Promise.resolve('/proc/laminar')],
    [
      'where no program may run',
      /no program may run from there/,
      (root) => {
        noexec.add(root);
        return Promise.resolve(join(root, 'laminar'));
      },
    ],
  ];
  it.each(places)('%s', async (_, reason, make) => {
    const place = await make(await temporaryFolder());
    const next = join(await temporaryFolder(), 'laminar');
    const { folder, refused } = await unpackPrograms(programs(), [place, next]);
    expect(folder).toBe(join(next, 'driver-1.0'));
    expect(refused).toEqual([expect.stringMatching(reason)]);
    await expectWhole(folder);

    const failure = await unpackPrograms(programs(), [place]).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DeviceError);
    expect((failure as Error).message).toMatch(reason);
    expect((failure as Error).message).toMatch(/^driver-1\.0 cannot be unpacked anywhere \(.*XDG_CACHE_HOME/);
  });

  it('a folder that is sticky, like /tmp, may be written by all', async () => {
    const root = await temporaryFolder();
    await chmod(root, 0o1777);
    expect(await makePrivateFolder(join(root, 'laminar'))).toBe(join(root, 'laminar'));
  });

  it('what fails within a package is not the place', async () => {
    const broken = { ...programs(), unpack: () => Promise.reject(new DeviceError('the package is broken')) };
    const place = join(await temporaryFolder(), 'laminar');
    await expect(unpackPrograms(broken, [place])).rejects.toThrow('the package is broken');
  });
});

it('the places are the cache folder, and one of the own in the temporary folder', () => {
  vi.stubEnv('XDG_CACHE_HOME', '/caches');
  vi.stubEnv('TMPDIR', '/temporary');
  const own = `/temporary/laminar-${process.getuid!()}`;
  expect(cachePlaces()).toEqual(['/caches/laminar', own]);
  vi.stubEnv('XDG_CACHE_HOME', 'relative');
  vi.stubEnv('HOME', '/home/alice');
  expect(cachePlaces()).toEqual(['/home/alice/.cache/laminar', own]);
  vi.unstubAllEnvs();
});
