import {
  lstat,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMIT, OTHER_COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { folderFiles } from '../../src/node/files.ts';
import { etagOf, textFile } from '../support/hub-server.ts';
import type { HubFile } from '../support/hub-server.ts';

const hub = useHub();

/** A safetensors file with one tensor of zeros. */
function weights(bytes: number, name = 'a'): HubFile {
  const header = Buffer.from(
    JSON.stringify({ [name]: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }),
  );
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return { bytes: Buffer.concat([length, header, Buffer.alloc(bytes)]), lfs: true };
}

const WEIGHTS = weights(5000);
const FILES = singleFileModel(WEIGHTS);
const inCache = (...path: string[]) => join(hub.cacheFolder, 'models--gpt2', ...path);

async function expectWhole(folder: string): Promise<void> {
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
    expect(await readFile(join(folder, name))).toEqual(FILES[name]!.bytes);
  }
}

describe('a file that was cut short', () => {
  test.each([
    ['the weights, in their data', 'model.safetensors', 3000],
    ['the weights, in their header', 'model.safetensors', 20],
    ['the weights, to nothing', 'model.safetensors', 0],
    ['the configuration', 'config.json', 10],
    ['the tokenizer', 'tokenizer.json', 5],
  ])('%s: is fetched anew when it is used', async (_name, name, length) => {
    addModel(hub.server, 'gpt2', FILES);
    const { folder } = await hub.resolve('gpt2');
    await truncate(join(folder, name), length);
    hub.environment['HF_HUB_OFFLINE'] = '1';
    if (!name.startsWith('tokenizer')) {
      await expect(hub.resolve('gpt2')).rejects.toThrow(
        `HF_HUB_OFFLINE is set and the cached copy has a damaged ${name}`,
      );
    }
    Reflect.deleteProperty(hub.environment, 'HF_HUB_OFFLINE');
    await expectWhole((await hub.resolve('gpt2', { revision: COMMIT })).folder);
    expect(hub.notices).toEqual([`the cached ${name} of gpt2 is damaged; fetching it again`]);
    expect(hub.server.bodiesOf(name).length).toBe(name.startsWith('model') ? 4 : 2);
  });

  test('is fetched anew where zeros take the place of the bytes, too', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const { folder } = await hub.resolve('gpt2');
    for (const name of ['model.safetensors', 'config.json']) {
      await writeFile(join(folder, name), Buffer.alloc(FILES[name]!.bytes.length));
    }
    await expectWhole((await hub.resolve('gpt2')).folder);
  });

  test('is fetched anew where it holds something else of the same kind, too, and where it is longer', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const { folder } = await hub.resolve('gpt2');
    await writeFile(join(folder, 'tokenizer.json'), '{"model":{"type":"WordLevel"}}');
    await writeFile(join(folder, 'model.safetensors'), Buffer.concat([WEIGHTS.bytes, Buffer.from('more')]));
    await expectWhole((await hub.resolve('gpt2', { revision: COMMIT })).folder);
    expect(hub.notices).toHaveLength(2);
  });

  test('is left alone where it is what the hub lists', async () => {
    const files = { ...FILES, 'tokenizer.json': { bytes: Buffer.from('{"cut":'), lfs: false } };
    addModel(hub.server, 'gpt2', files);
    await hub.resolve('gpt2');
    await hub.resolve('gpt2');
    expect(hub.server.bodiesOf('tokenizer.json')).toHaveLength(1);
    expect(hub.notices).toEqual([]);
  });

  test('is not removed from where a link leads', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const { folder } = await hub.resolve('gpt2');
    const elsewhere = join(hub.cacheFolder, '..', 'elsewhere');
    await rename(folder, elsewhere);
    await symlink(elsewhere, folder);
    await rm(join(elsewhere, 'config.json'));
    await writeFile(join(elsewhere, 'config.json'), '{');
    await expect(hub.resolve('gpt2')).rejects.toThrow(/is a link that leads out of the cache/);
    expect(await readFile(join(elsewhere, 'config.json'), 'utf8')).toBe('{');
  });
});

describe('a large file in which a bit has changed', () => {
  const large = weights(2 ** 24);
  const path = (folder: string) => join(folder, 'model.safetensors');
  const flip = async (file: string) => {
    const bytes = await readFile(file);
    bytes[bytes.length - 7]! ^= 4;
    await writeFile(file, bytes);
  };
  const note = join('.locks', 'models--gpt2', `${etagOf(large)}.laminar.verified`);

  test('is found when it is first used, and fetched anew', async () => {
    addModel(hub.server, 'gpt2', { ...FILES, 'model.safetensors': large });
    const { folder } = await hub.resolve('gpt2');
    // As Python leaves it: without a note of ours.
    await rm(join(hub.cacheFolder, note));
    await flip(path(folder));
    hub.environment['HF_HUB_OFFLINE'] = '1';
    await expect(hub.resolve('gpt2')).rejects.toThrow(/the cached copy has a damaged model\.safetensors/);
    Reflect.deleteProperty(hub.environment, 'HF_HUB_OFFLINE');
    await hub.resolve('gpt2', { revision: COMMIT });
    expect(large.bytes.equals(await readFile(path(folder)))).toBe(true);
    expect(hub.notices).toEqual(['the cached model.safetensors of gpt2 is damaged; fetching it again']);
  });

  test('is found later on demand, where its date says nothing', async () => {
    addModel(hub.server, 'gpt2', { ...FILES, 'model.safetensors': large });
    const { folder } = await hub.resolve('gpt2');
    const { atime, mtime } = await stat(path(folder));
    await flip(path(folder));
    await utimes(path(folder), atime, mtime);
    const noted = await readFile(join(hub.cacheFolder, note), 'utf8');
    // The clock of the file system may be finer than a date that is set.
    const { size, mtimeMs, ino } = await stat(path(folder));
    await writeFile(join(hub.cacheFolder, note), `${size} ${mtimeMs} ${ino}`);
    expect(noted).toMatch(new RegExp(`^${size} [\\d.]+ ${ino}$`));
    await hub.resolve('gpt2');
    expect(large.bytes.equals(await readFile(path(folder)))).toBe(false);
    await hub.resolve('gpt2', { verify: true });
    expect(large.bytes.equals(await readFile(path(folder)))).toBe(true);
  });
});

test('shards in folders are read as they are fetched', async () => {
  const index = { a: 'parts/a.safetensors', b: 'parts/deep/b.safetensors' };
  const parts = { [index.a]: weights(100, 'a'), [index.b]: weights(200, 'b') };
  const files = {
    'config.json': textFile({ model_type: 'gpt2' }),
    // As Python may write it.
    'model.safetensors.index.json': textFile(
      `\ufeff{"metadata": {"total_size": NaN}, "weight_map": ${JSON.stringify(index)}}`,
    ),
    ...parts,
  };
  addModel(hub.server, 'gpt2', files);
  const { folder } = await hub.resolve('gpt2');
  const checkpoint = await Checkpoint.open(folderFiles(folder));
  expect([...checkpoint.tensors.keys()]).toEqual(Object.keys(index));
  await checkpoint.close();
  await truncate(join(folder, index.b), 30);
  await hub.resolve('gpt2');
  expect(await readFile(join(folder, index.b))).toEqual(parts[index.b]!.bytes);
});

describe('a cache without notes', () => {
  test('serves without a network what it holds, and says which', async () => {
    addModel(hub.server, 'gpt2', FILES);
    addModel(hub.server, 'gpt2', FILES, ['v1'], OTHER_COMMIT);
    await hub.resolve('gpt2', { revision: 'v1' });
    await hub.resolve('gpt2');
    await rm(inCache('refs'), { recursive: true });
    await utimes(inCache('snapshots', OTHER_COMMIT), 1e9, 1e9);
    hub.environment['HF_HUB_OFFLINE'] = '1';
    expect((await hub.resolve('gpt2')).revision).toBe(COMMIT);
    expect(hub.notices).toEqual([
      'the cache does not say which commit main of gpt2 is: using c0ffee00c0ff, which it holds',
    ]);
    expect((await hub.resolve('gpt2', { revision: OTHER_COMMIT.slice(0, 8) })).revision).toBe(OTHER_COMMIT);
    await expect(hub.resolve('gpt2', { revision: 'v1' })).rejects.toThrow(/no cached copy/);
  });
});

describe('links that lead out of the cache', () => {
  test.each([['blobs'], ['snapshots'], ['refs'], [`snapshots/${COMMIT}`]])(
    'nothing is written through %s',
    async (place) => {
      addModel(hub.server, 'gpt2', FILES);
      const outside = join(hub.cacheFolder, '..', 'outside');
      await mkdir(outside, { recursive: true });
      await mkdir(join(inCache(place), '..'), { recursive: true });
      await symlink(outside, inCache(place));
      const attempt = hub.resolve('gpt2');
      if (place === 'refs') {
        await attempt; // a note that cannot be made is told, and no obstacle
        expect(hub.notices.join()).toMatch(/cannot note main.*leads out of the cache/);
      } else {
        await expect(attempt).rejects.toThrow(
          /is a link that leads out of the cache, to .*outside; remove it/,
        );
      }
      expect(await readdir(outside)).toEqual([]);
    },
  );

  test('nor through a link in the place of a partial file', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const outside = join(hub.cacheFolder, '..', 'outside.txt');
    await mkdir(inCache('blobs'), { recursive: true });
    await writeFile(outside, 'mine');
    await symlink(outside, inCache('blobs', `${etagOf(FILES['model.safetensors']!)}.incomplete`));
    await expectWhole((await hub.resolve('gpt2')).folder);
    expect(await readFile(outside, 'utf8')).toBe('mine');
  });
});

test('what dead processes left of other files is kept to be resumed, or cleared away', async () => {
  addModel(hub.server, 'gpt2', FILES);
  await mkdir(inCache('blobs'), { recursive: true });
  const token = (digit: number) => `laminar-00000000-1-${String(digit).repeat(12)}`;
  const [first, second] = ['a'.repeat(64), 'b'.repeat(64)];
  const longAgo = Date.now() / 1000 - 7200;
  for (const name of [`${first}.${token(1)}`, `${second}.${token(1)}`, `${second}.${token(2)}`]) {
    const path = inCache('blobs', `${name}.incomplete`);
    await writeFile(path, 'rest');
    await utimes(path, longAgo, longAgo);
  }
  await writeFile(inCache('blobs', `${first}`), 'whole');
  await hub.resolve('gpt2');
  const left = (await readdir(inCache('blobs'))).filter((name) => name.includes('.'));
  expect(left).toEqual([`${second}.incomplete`]);
  expect((await lstat(inCache('blobs', first))).size).toBe(5);
});

describe('weights under other names', () => {
  test.each(['pytorch_model.safetensors', 'model.fp16.safetensors', 'whatever.safetensors'])(
    '%s is fetched where there is nothing else, and used without a network',
    async (name) => {
      const { 'model.safetensors': own, ...files } = FILES;
      addModel(hub.server, 'gpt2', { ...files, [name]: own!, 'onnx/model.safetensors': own! });
      const found = await hub.resolve('gpt2');
      expect(await readdir(found.folder)).toContain(name);
      expect(await readdir(found.folder)).not.toContain('onnx');
      hub.environment['HF_HUB_OFFLINE'] = '1';
      expect(await hub.resolve('gpt2')).toEqual(found);
    },
  );

  test('of several without an index, none is guessed', async () => {
    const { 'model.safetensors': own, ...files } = FILES;
    addModel(hub.server, 'gpt2', { ...files, 'a.safetensors': own!, 'b.safetensors': own! });
    await expect(hub.resolve('gpt2')).rejects.toThrow(
      /several safetensors files \(a.safetensors, b.safe.*no index/,
    );
  });

  test('a copy of a variant alone is completed where the usual weights are to be had', async () => {
    addModel(hub.server, 'gpt2', FILES);
    const { folder } = await hub.resolve('gpt2');
    await rm(join(folder, 'model.safetensors'));
    await writeFile(join(folder, 'model.fp16.safetensors'), FILES['model.safetensors']!.bytes);
    await expectWhole((await hub.resolve('gpt2')).folder);
  });
});
