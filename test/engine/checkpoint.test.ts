import { describe, expect, it } from 'vitest';
import { readFixture } from '#platform';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { describeModel } from '../../src/engine/description.ts';
import { CheckpointError, FileError, FormatError } from '../../src/engine/errors.ts';
import { bytesSource } from '../../src/engine/files.ts';
import type { ByteSource, ModelFiles } from '../../src/engine/files.ts';
import { encodeHeader } from '../../src/engine/safetensors.ts';

const SHARDED = 'test/golden/neox-bf16-sharded';
const shardNames = [1, 2, 3].map((number) => `model-0000${number}-of-00003.safetensors`);

/** A folder in memory that remembers which of its files are still open. */
class MemoryFolder implements ModelFiles {
  readonly name = 'folder';
  readonly opened = new Set<ByteSource>();
  bytesRead = 0;

  constructor(readonly contents: Record<string, Uint8Array | string | undefined>) {}

  open(fileName: string): Promise<ByteSource | undefined> {
    const content = this.contents[fileName];
    if (content === undefined) return Promise.resolve(undefined);
    const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
    const inner = bytesSource(`${this.name}/${fileName}`, bytes);
    const source: ByteSource = {
      ...inner,
      read: (offset, length) => {
        this.bytesRead += length;
        return inner.read(offset, length);
      },
      close: () => {
        this.opened.delete(source);
        return Promise.resolve();
      },
    };
    this.opened.add(source);
    return Promise.resolve(source);
  }
}

async function shardedFolder(
  changes: Record<string, Uint8Array | string | undefined> = {},
): Promise<MemoryFolder> {
  const names = ['config.json', 'model.safetensors.index.json', ...shardNames];
  const contents = await Promise.all(
    names.map(async (name) => [name, await readFixture(`${SHARDED}/${name}`)] as const),
  );
  return new MemoryFolder({ ...Object.fromEntries(contents), ...changes });
}

async function index(changes: Record<string, string>): Promise<string> {
  const text = new TextDecoder().decode(await readFixture(`${SHARDED}/model.safetensors.index.json`));
  const parsed = JSON.parse(text) as { weight_map: Record<string, string> };
  return JSON.stringify({ ...parsed, weight_map: { ...parsed.weight_map, ...changes } });
}

/** The error that opening the folder ends with, after checking that it leaves no file open and takes one line. */
async function failure(folder: MemoryFolder): Promise<Error> {
  const error = await describeModel(folder).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect(folder.opened.size).toBe(0);
  expect((error as Error).message).not.toContain('\n');
  return error as Error;
}

const safetensors = (name: string): Uint8Array => {
  const header = encodeHeader([{ name, dtype: 'F32', shape: [2] }]);
  const bytes = new Uint8Array(header.fileSize);
  bytes.set(header.bytes);
  return bytes;
};

describe('Checkpoint', () => {
  const folders = [
    'gpt2-f16',
    'gpt2-inner-gelu',
    'gpt2-inverse-layer-scale',
    'gpt2-massive',
    'gpt2-noprefix-tied',
  ];
  folders.push('gpt2-one-token', 'gpt2-prefix-f32', 'neox-f16', 'neox-f32-sequential', 'neox-full-rotary');
  const paths = folders
    .map((name) => `test/golden/${name}`)
    .concat('weights/alice-gpt2', 'weights/alice-pythia');

  it.each(paths)('opens %s and places every tensor', async (path) => {
    const weights = await readFixture(`${path}/model.safetensors`);
    const folder = new MemoryFolder({
      'config.json': await readFixture(`${path}/config.json`),
      'model.safetensors': weights,
    });
    const checkpoint = await Checkpoint.open(folder);
    // The header's own names, and not the parser's, say what must be found.
    const length = Number(new DataView(weights.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(weights.subarray(8, 8 + length))) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: [number, number] }
    >;
    delete header['__metadata__'];
    expect([...checkpoint.tensors.keys()].sort()).toEqual(Object.keys(header).sort());
    for (const [name, { dtype, shape, data_offsets: range }] of Object.entries(header)) {
      const entry = checkpoint.entry(name);
      expect(entry).toMatchObject({
        name,
        dtype,
        shape,
        offset: 8 + length + range[0],
        bytes: range[1] - range[0],
      });
    }
    await checkpoint.close();
    expect(folder.opened.size).toBe(0);
  });

  it('reads headers only', async () => {
    const folder = await shardedFolder();
    const checkpoint = await Checkpoint.open(folder);
    expect(folder.bytesRead).toBeLessThan(16_384);
    await checkpoint.close();
  });

  it('finds the tensors of all shards', async () => {
    const folder = await shardedFolder();
    const checkpoint = await Checkpoint.open(folder);
    const { weight_map: map } = JSON.parse(await index({})) as { weight_map: Record<string, string> };
    expect(checkpoint.tensors.size).toBe(Object.keys(map).length);
    for (const [name, shard] of Object.entries(map)) {
      expect(checkpoint.entry(name).source.name).toBe(`folder/${shard}`);
    }
    await checkpoint.close();
    expect(folder.opened.size).toBe(0);
  });

  it('names a tensor that is not there', async () => {
    const checkpoint = await Checkpoint.open(await shardedFolder());
    expect(checkpoint.find('wte.weight')).toBeUndefined();
    expect(() => checkpoint.entry('wte.weight')).toThrow(CheckpointError);
    expect(() => checkpoint.entry('wte.weight')).toThrow(/wte\.weight is not in the 3 shards of folder/);
  });

  it('refuses a folder without a configuration, or without weights', async () => {
    expect((await failure(new MemoryFolder({}))).message).toMatch(/folder: has no config\.json/);
    const config = await readFixture(`${SHARDED}/config.json`);
    expect(await failure(new MemoryFolder({ 'config.json': config }))).toBeInstanceOf(FileError);
    expect((await failure(new MemoryFolder({ 'config.json': '{"model_' }))).message).toMatch(
      /folder\/config\.json: is not valid JSON/,
    );
    const pickled = await failure(new MemoryFolder({ 'config.json': config, 'pytorch_model.bin': 'PK' }));
    expect(pickled.message).toMatch(/pytorch_model\.bin.*revision of the model that has model\.safetensors/);
  });

  it('names a shard that is missing', async () => {
    const error = await failure(await shardedFolder({ [shardNames[1]!]: undefined }));
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toContain(`folder: ${shardNames[1]} is missing`);
  });

  it('names a truncated shard', async () => {
    const shard = await readFixture(`${SHARDED}/${shardNames[2]}`);
    const error = await failure(
      await shardedFolder({ [shardNames[2]!]: shard.subarray(0, shard.length - 1) }),
    );
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain(`folder/${shardNames[2]}: is truncated`);
  });

  it('refuses a tensor that two shards hold, if it is needed', async () => {
    const extra = 'model-00004-of-00004.safetensors';
    const both = async (tensor: string) =>
      shardedFolder({
        'model.safetensors.index.json': await index({ another: extra }),
        [extra]: safetensors(tensor),
      });
    const error = await failure(await both('gpt_neox.final_layer_norm.bias'));
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toContain('tensor gpt_neox.final_layer_norm.bias is in two files');
    expect(error.message).toContain(extra);
    const harmless = await describeModel(await both('gpt_neox.layers.0.attention.rotary_emb.inv_freq'));
    await harmless.close();
  });

  it('does not mind an index that lists what no shard holds and nothing needs, or puts a tensor elsewhere', async () => {
    for (const changes of [
      { 'gpt_neox.extra': shardNames[0]! },
      { 'gpt_neox.final_layer_norm.bias': shardNames[0]! },
      { 'gpt_neox.extra': 'model-00009-of-00009.safetensors' },
    ]) {
      const description = await describeModel(
        await shardedFolder({ 'model.safetensors.index.json': await index(changes) }),
      );
      expect(description.config.layers).toBe(3);
      await description.close();
    }
  });

  it('reads shards that lie in folders of the folder', async () => {
    const parsed = JSON.parse(await index({})) as { weight_map: Record<string, string> };
    const changes: Record<string, Uint8Array | string | undefined> = {};
    for (const name of shardNames) {
      changes[`parts/${name}`] = await readFixture(`${SHARDED}/${name}`);
      changes[name] = undefined;
    }
    const moved = Object.entries(parsed.weight_map).map(([tensor, name]) => [tensor, `parts/${name}`]);
    changes['model.safetensors.index.json'] = JSON.stringify({ weight_map: Object.fromEntries(moved) });
    const description = await describeModel(await shardedFolder(changes));
    expect(description.config.layers).toBe(3);
    await description.close();
  });

  it.each([
    '../secret.safetensors',
    '/etc/passwd',
    'sub/../../model.safetensors',
    'sub//model.safetensors',
    '..\\secret',
    'C:secret',
    '..',
    '.',
    '',
  ])('opens no file outside the folder: %j', async (shard) => {
    const outside = await index({ 'gpt_neox.final_layer_norm.bias': shard });
    const folder = await shardedFolder({
      'model.safetensors.index.json': outside,
      [shard]: safetensors('x'),
    });
    const error = await failure(folder);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(/which is not a file of this folder/);
  });

  it.each(['[]', '{}', '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": []}'])(
    'refuses the index %s',
    async (text) => {
      const error = await failure(await shardedFolder({ 'model.safetensors.index.json': text }));
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain('folder/model.safetensors.index.json');
    },
  );
});
