import { mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { FileError, FormatError, InputError } from '../../src/engine/errors.ts';
import { isHubId } from '../../src/node/hub.ts';
import type { FetchProgress } from '../../src/node/hub.ts';
import { ModelCache } from '../../src/node/hub/cache.ts';
import { etagOf, largeFile, textFile } from '../support/hub-server.ts';
import type { HubFile } from '../support/hub-server.ts';
import { COMMIT, OTHER_COMMIT, addModel, singleFileModel, useHub } from '../support/hub-fixture.ts';

const hub = useHub();
const FETCHED = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];

function shardedModel(weightMap: Record<string, unknown>): Record<string, HubFile> {
  return {
    'config.json': textFile({ model_type: 'gpt_neox' }),
    'tokenizer.json': textFile({}),
    'model.safetensors.index.json': textFile({ metadata: {}, weight_map: weightMap }),
    'model-00001-of-00002.safetensors': largeFile(3000, 2),
    'model-00002-of-00002.safetensors': largeFile(4000, 3),
    'model-old.safetensors': largeFile(5000, 4),
  };
}

/** Lays out a snapshot as Python's huggingface_hub does. */
async function layOut(name: string, files: Record<string, HubFile>, reference = 'main'): Promise<string> {
  const folder = join(hub.cacheFolder, `models--${name.replace('/', '--')}`);
  const snapshot = join(folder, 'snapshots', COMMIT);
  await mkdir(snapshot, { recursive: true });
  for (const part of ['blobs', 'refs']) await mkdir(join(folder, part));
  for (const [path, file] of Object.entries(files)) {
    await writeFile(join(folder, 'blobs', etagOf(file)), file.bytes);
    await symlink(`../../blobs/${etagOf(file)}`, join(snapshot, path));
  }
  await writeFile(join(folder, 'refs', reference), COMMIT);
  return snapshot;
}

function pick(files: Record<string, HubFile>, names: readonly string[]): Record<string, HubFile> {
  return Object.fromEntries(names.map((name) => [name, files[name]!]));
}

describe('the cache', () => {
  test('is laid out as Python lays it out, and holds what the engine reads and nothing else', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'somebody/some-model', files);
    const progress: FetchProgress[] = [];
    const stdout = vi.spyOn(process.stdout, 'write');
    const logs = (['log', 'info', 'debug', 'warn', 'error'] as const).map((level) =>
      vi.spyOn(console, level),
    );
    const found = await hub.resolve('somebody/some-model', { onProgress: (step) => progress.push(step) });
    for (const spy of [stdout, ...logs]) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
    const folder = join(hub.cacheFolder, 'models--somebody--some-model');
    expect(found).toEqual({ folder: join(folder, 'snapshots', COMMIT), revision: COMMIT });
    expect(await readFile(join(folder, 'refs', 'main'), 'utf8')).toBe(COMMIT);
    expect((await readdir(found.folder)).sort()).toEqual(FETCHED);
    expect((await readdir(join(folder, 'blobs'))).sort()).toEqual(
      FETCHED.map((name) => etagOf(files[name]!)).sort(),
    );
    for (const name of FETCHED) {
      expect(await readlink(join(found.folder, name))).toBe(`../../blobs/${etagOf(files[name]!)}`);
      expect((await readFile(join(found.folder, name))).equals(files[name]!.bytes)).toBe(true);
    }
    expect(await readdir(join(hub.cacheFolder, '.locks', 'models--somebody--some-model'))).toEqual([]);
    const bytesTotal = FETCHED.reduce((sum, name) => sum + files[name]!.bytes.length, 0);
    expect(progress.at(-1)).toEqual({
      file: 'model.safetensors',
      bytesDone: bytesTotal,
      bytesTotal,
      filesDone: 4,
      filesTotal: 4,
    });
    expect(progress.map(({ bytesDone }) => bytesDone)).toEqual(
      progress.map(({ bytesDone }) => bytesDone).sort((a, b) => a - b),
    );
    expect(hub.notices).toEqual([]);
  });

  test('takes the shards that the index names, each once', async () => {
    addModel(
      hub.server,
      'gpt2',
      shardedModel({
        a: 'model-00001-of-00002.safetensors',
        b: 'model-00002-of-00002.safetensors',
        c: 'model-00001-of-00002.safetensors',
      }),
    );
    const { folder } = await hub.resolve('gpt2');
    expect(folder).toBe(join(hub.cacheFolder, 'models--gpt2', 'snapshots', COMMIT));
    expect((await readdir(folder)).sort()).toEqual([
      'config.json',
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    expect(hub.server.bodiesOf('model-00001-of-00002.safetensors')).toHaveLength(2); // the hub and its storage
    // The repository has no tokenizer_config.json: that costs a listing each time, and no file.
    hub.server.seen.length = 0;
    await hub.resolve('gpt2');
    expect(hub.server.seen.map(({ path }) => path)).toEqual([
      '/api/models/gpt2/revision/main',
      `/api/models/gpt2/tree/${COMMIT}`,
    ]);
  });

  test("gives GPT-2's own tokenizer files where there is no tokenizer.json, and only there", async () => {
    const old = {
      'vocab.json': textFile({ a: 0 }),
      'merges.txt': textFile({}),
      'added_tokens.json': textFile({}),
    };
    const files = { ...singleFileModel(largeFile(100, 5)), ...old };
    addModel(hub.server, 'new', files);
    expect((await readdir((await hub.resolve('new')).folder)).sort()).toEqual(FETCHED);
    const older = Object.fromEntries(Object.entries(files).filter(([name]) => name !== 'tokenizer.json'));
    addModel(hub.server, 'old', older);
    const { folder } = await hub.resolve('old');
    expect((await readdir(folder)).sort()).toEqual([
      'added_tokens.json',
      'config.json',
      'merges.txt',
      'model.safetensors',
      'tokenizer_config.json',
      'vocab.json',
    ]);
    hub.server.seen.length = 0;
    await hub.resolve('old'); // all is there: no listing
    expect(hub.server.seen.map(({ path }) => path)).toEqual(['/api/models/old/revision/main']);
  });

  test('is asked first: one question for a branch, none for a commit or offline', async () => {
    addModel(hub.server, 'gpt2');
    const first = await hub.resolve('gpt2');
    hub.server.seen.length = 0;
    expect(await hub.resolve('gpt2')).toEqual(first);
    expect(hub.server.seen.map(({ path }) => path)).toEqual(['/api/models/gpt2/revision/main']);
    hub.server.seen.length = 0;
    expect(await hub.resolve('gpt2', { revision: COMMIT })).toEqual(first);
    hub.environment['HF_HUB_OFFLINE'] = '1';
    expect(await hub.resolve('gpt2')).toEqual(first);
    expect(hub.server.seen).toEqual([]);
  });

  test('that Python filled is used without fetching a file', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'EleutherAI/tiny', files);
    const snapshot = await layOut('EleutherAI/tiny', pick(files, FETCHED));
    expect(await hub.resolve('EleutherAI/tiny')).toEqual({ folder: snapshot, revision: COMMIT });
    expect(hub.server.seen.map(({ path }) => path)).toEqual(['/api/models/EleutherAI/tiny/revision/main']);
  });

  test('is completed where Python took less, and its blobs serve another commit', async () => {
    const files = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    await layOut('gpt2', pick(files, ['config.json', 'model.safetensors']));
    await hub.resolve('gpt2');
    expect(hub.server.bodiesOf('model.safetensors')).toEqual([]);
    expect(hub.server.bodiesOf('tokenizer.json')).toHaveLength(1);
    hub.server.reset();
    const changed = { ...files, 'config.json': textFile({ model_type: 'gpt2', n_layer: 3 }) };
    addModel(hub.server, 'gpt2', changed, ['main'], OTHER_COMMIT);
    const { folder, revision } = await hub.resolve('gpt2');
    expect(revision).toBe(OTHER_COMMIT);
    expect(hub.server.seen.filter(({ path }) => path.includes('/resolve/'))).toHaveLength(1);
    expect(
      (await readFile(join(folder, 'model.safetensors'))).equals(files['model.safetensors']!.bytes),
    ).toBe(true);
    expect(await readFile(join(hub.cacheFolder, 'models--gpt2/refs/main'), 'utf8')).toBe(OTHER_COMMIT);
  });

  test('keeps revisions apart, and notes one with slashes where Python looks for it', async () => {
    addModel(hub.server, 'gpt2', singleFileModel(largeFile(100, 5)), ['main']);
    addModel(hub.server, 'gpt2', singleFileModel(largeFile(100, 6)), ['refs/pr/4', 'step1000'], OTHER_COMMIT);
    const converted = await hub.resolve('gpt2', { revision: 'refs/pr/4' });
    expect(converted.revision).toBe(OTHER_COMMIT);
    expect(await readFile(join(hub.cacheFolder, 'models--gpt2/refs/refs/pr/4'), 'utf8')).toBe(OTHER_COMMIT);
    expect((await hub.resolve('gpt2')).revision).toBe(COMMIT);
    expect((await hub.resolve('gpt2', { revision: 'step1000' })).folder).toBe(converted.folder);
  });

  test('holds the files themselves where symbolic links are refused', async () => {
    const file = { path: 'model.safetensors', size: 4, etag: 'a'.repeat(64), algorithm: 'sha256' } as const;
    const refused = Object.assign(new Error('operation not permitted'), { code: 'EPERM' });
    const cache = new ModelCache(hub.cacheFolder, 'gpt2', () => Promise.reject(refused));
    await mkdir(cache.blobFolder, { recursive: true });
    await writeFile(cache.blob(file), 'abcd');
    await cache.place(COMMIT, file, false);
    expect(await readFile(join(cache.snapshot(COMMIT), file.path), 'utf8')).toBe('abcd');
    await cache.place(OTHER_COMMIT, file, true);
    expect(await readFile(join(cache.snapshot(OTHER_COMMIT), file.path), 'utf8')).toBe('abcd');
    expect(await cache.listBlobs()).toEqual([]);
    expect(await readdir(cache.snapshot(COMMIT))).toEqual([file.path]);
  });
});

describe('what is chosen', () => {
  test.each(['../../evil.safetensors', '/etc/passwd', 'a/../../b', 'C:\\b', '..\\b', '', './b', 7])(
    'an index that names %j is refused',
    async (name) => {
      addModel(hub.server, 'gpt2', shardedModel({ a: name }));
      const failure = await hub.resolve('gpt2').catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(FormatError);
      expect((failure as Error).message).toMatch(
        /index\.json of gpt2 at main: it puts a into .*inside the model's folder/,
      );
    },
  );

  test('of a single file and shards the single file is taken, as transformers and the engine take it', async () => {
    const shards = shardedModel({ a: 'model-00001-of-00002.safetensors' });
    addModel(hub.server, 'gpt2', { ...shards, ...singleFileModel() });
    const { folder } = await hub.resolve('gpt2');
    expect((await readdir(folder)).sort()).toEqual(FETCHED);
  });

  test('an index that names a file which is not there is refused', async () => {
    addModel(hub.server, 'gpt2', shardedModel({ a: 'model-00003-of-00003.safetensors' }));
    await expect(hub.resolve('gpt2')).rejects.toThrow(
      /names model-00003-of-00003.safetensors, which the repository does not have/,
    );
  });

  test('a model without safetensors is refused, with the revision that has some', async () => {
    const { 'model.safetensors': weights, ...files } = singleFileModel();
    addModel(hub.server, 'gpt2', files);
    await expect(hub.resolve('gpt2')).rejects.toThrow(
      /gpt2 at main has pytorch_model.bin and no safetensors.*gpt2\/discussions.*revision refs\/pr\/N/,
    );
    addModel(hub.server, 'gpt2', { ...files, 'model.safetensors': weights! }, ['refs/pr/4'], OTHER_COMMIT);
    hub.server.discussions.push(
      { num: 3, title: 'Does it speak safetensors?', isPullRequest: false },
      { num: 4, title: 'Adding `safetensors` variant of this model', isPullRequest: true },
    );
    await expect(hub.resolve('gpt2')).rejects.toThrow(/use revision refs\/pr\/4/);
  });

  test('a repository without config.json is refused', async () => {
    addModel(hub.server, 'gpt2', { 'model.safetensors': largeFile(10) });
    await expect(hub.resolve('gpt2')).rejects.toThrow(/gpt2 at main has no config.json/);
  });
});

describe('what a model may be called', () => {
  test.each(['gpt2', 'gpt2-xl', 'openai-community/gpt2-xl', 'EleutherAI/pythia-2.8b', 'a_b/c.d'])(
    '%s',
    (id) => {
      expect(isHubId(id)).toBe(true);
    },
  );

  test.each([
    '',
    './gpt2',
    '../gpt2',
    '/gpt2',
    'a/b/c',
    'a/',
    'C:\\gpt2',
    'a b',
    'a--b',
    '-a',
    'a/.b',
    'x'.repeat(97),
  ])('not %j', (path) => {
    expect(isHubId(path)).toBe(false);
  });

  test('a folder is used as it is, and asks nobody', async () => {
    const folder = join(hub.cacheFolder, 'mine');
    await mkdir(folder, { recursive: true });
    expect(await hub.resolve(folder)).toEqual({ folder: resolve(folder), revision: null });
    await hub.resolve(folder, { revision: 'step1' });
    expect(hub.notices).toEqual([
      `${folder} is a folder here, and only models of the hub have revisions: step1 does not apply to it`,
    ]);
    expect(hub.server.seen).toEqual([]);
  });

  test('a path that leads nowhere, or to a file, is refused', async () => {
    const missing = await hub.resolve('./no/such').catch((error: unknown) => error);
    expect(missing).toBeInstanceOf(FileError);
    expect((missing as Error).message).toBe(
      'no such model folder ./no/such; give a folder or a hub id such as gpt2-xl',
    );
    expect((await stat('package.json')).isFile()).toBe(true);
    await expect(hub.resolve('package.json')).rejects.toThrow(/package.json: is a file; give the folder/);
  });

  test.each(['', '../x', 'a..b', '/x', 'x/', 'a//b', 'a b', 'a:b', 'a\nb', '.'])(
    'no revision is %j',
    async (revision) => {
      await expect(hub.resolve('gpt2', { revision })).rejects.toThrow(InputError);
      expect(hub.server.seen).toEqual([]);
    },
  );
});
