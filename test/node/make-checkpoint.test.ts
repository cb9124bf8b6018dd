import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { readArchitecture } from '../../src/engine/architectures/registry.ts';
import { describeModel } from '../../src/engine/description.ts';
import { decodeFloats } from '../../src/engine/decode.ts';
import { FileError, InputError } from '../../src/engine/errors.ts';
import { folderFiles } from '../../src/node/files.ts';
import type { MakeCheckpointOptions } from '../../src/node/make-checkpoint.ts';
import { makeCheckpoint } from '../../src/node/make-checkpoint.ts';
import { publishedModel, publishedNames, publishedTensors } from '../../src/node/published-shapes.ts';
import { temporaryFolder } from './temporary-folder.ts';

const SMALL = { like: 'EleutherAI/pythia-14m', layers: 1 } as const;

async function make(options: Partial<MakeCheckpointOptions> = {}) {
  const out = join(await temporaryFolder(), 'model');
  return makeCheckpoint({ ...SMALL, out, ...options });
}

/** Those that several tests read, made once: as they are by default, and in F32. */
let usual: string;
let exact: string;
let kept: string;
beforeAll(async () => {
  kept = await mkdtemp(join(tmpdir(), 'laminar-test-'));
  [usual, exact] = [join(kept, 'usual'), join(kept, 'exact')];
  await makeCheckpoint({ ...SMALL, out: usual });
  await makeCheckpoint({ ...SMALL, out: exact, dtype: 'F32' });
});
afterAll(() => rm(kept, { recursive: true, force: true }));

/** Bytes of a tensor, read back through the engine's reader. */
async function read(folder: string, name: string) {
  const checkpoint = await Checkpoint.open(folderFiles(folder));
  const entry = checkpoint.entry(name);
  const bytes = await entry.source.read(entry.offset, entry.bytes);
  await checkpoint.close();
  return { entry, bytes };
}

async function floats(folder: string, name: string): Promise<Float32Array> {
  const { entry, bytes } = await read(folder, name);
  return decodeFloats(entry.dtype, bytes, name);
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return { mean, deviation: Math.sqrt(variance) };
}

describe('publishedTensors', () => {
  // As counted on the models' cards and in the Pythia paper (Biderman et al. 2023, table 1).
  it.each([
    ['distilgpt2', 81_912_576],
    ['gpt2', 124_439_808],
    ['gpt2-medium', 354_823_168],
    ['gpt2-large', 774_030_080],
    ['gpt2-xl', 1_557_611_200],
    ['pythia-14m', 14_067_712],
    ['pythia-31m', 30_494_720],
    ['pythia-70m', 70_426_624],
    ['pythia-160m', 162_322_944],
    ['pythia-410m', 405_334_016],
    ['pythia-1b', 1_011_781_632],
    ['pythia-1.4b', 1_414_647_808],
    ['pythia-2.8b', 2_775_208_960],
    ['pythia-6.9b', 6_857_302_016],
    ['pythia-12b', 11_846_072_320],
    ['SmolLM2-135M', 134_515_008],
    ['Llama-2-7b-hf', 6_738_415_616],
    ['Llama-3.1-8B', 8_030_261_248],
    ['Llama-3.2-1B', 1_235_814_400],
    ['Mistral-7B-v0.3', 7_248_023_552],
    ['Qwen2.5-0.5B', 494_032_768],
    ['Qwen3-0.6B', 596_049_920],
  ])('%s has %i parameters', (name, parameters) => {
    const { config, dtype, prefix } = publishedModel(name);
    const tensors = publishedTensors(readArchitecture(config, name), dtype, prefix);
    const counted = tensors
      .filter(({ content }) => content === 'weight' || content === 'norm-scale')
      .map(({ shape }) => shape.reduce((product, extent) => product * extent, 1));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(parameters);
    expect(publishedNames).toContain(name);
  });

  it.each([
    ['gpt2', 'weights/alice-gpt2', []],
    // A buffer of the published files that alice-pythia was saved without.
    ['pythia-70m', 'weights/alice-pythia', ['attention.masked_bias']],
  ])('%s has the tensors of %s, layer for layer', async (name, folder, extra) => {
    const { prefix } = publishedModel(name);
    const description = await describeModel(folderFiles(folder));
    const dtype = description.dtype === 'F32' ? 'F32' : 'F16';
    const tensors = publishedTensors(description.architecture, dtype, prefix);
    await description.close();
    const checkpoint = await Checkpoint.open(folderFiles(folder));
    const described = tensors
      .filter((tensor) => !extra.some((ending) => tensor.name.endsWith(ending)))
      .map((tensor) => `${tensor.name} ${tensor.dtype} ${tensor.shape.join()}`);
    const actual = [...checkpoint.tensors.values()].map(
      (entry) => `${entry.name} ${entry.dtype} ${entry.shape.join()}`,
    );
    expect(described.sort()).toEqual(actual.sort());
    await checkpoint.close();
  });
});

describe('publishedModel', () => {
  it('knows a model with or without its organisation', () => {
    expect(publishedModel('openai-community/gpt2-xl')).toEqual(publishedModel('gpt2-xl'));
    expect(publishedModel('EleutherAI/pythia-2.8b-deduped')).toEqual(publishedModel('pythia-2.8b'));
    expect(publishedModel('pythia-12b').config).toMatchObject({ vocab_size: 50688, num_hidden_layers: 36 });
    expect(publishedModel('pythia-6.9b').config).toMatchObject({ vocab_size: 50432 });
    expect(publishedModel('gpt2-xl').config).toMatchObject({ n_embd: 1600, n_head: 25, vocab_size: 50257 });
  });

  it('names the models that it knows when asked for another', () => {
    for (const name of ['gpt3', 'constructor', '', 'pythia-13m']) {
      expect(() => publishedModel(name)).toThrow(InputError);
    }
    expect(() => publishedModel('gpt3')).toThrow(/^gpt3: .*gpt2-xl.*pythia-12b/);
  });
});

describe('makeCheckpoint', () => {
  it('writes a checkpoint that the engine opens', async () => {
    const progress: [number, number][] = [];
    const made = await make({ onProgress: (done, total) => progress.push([done, total]) });
    expect(made.files).toEqual(['model.safetensors', 'config.json']);
    expect((await readdir(made.folder)).sort()).toEqual([...made.files].sort());
    expect((await readFile(join(made.folder, 'model.safetensors'))).byteLength).toBe(made.bytes);
    // 2 · 50304 · 128 for the tables, 12 d² + 13 d for a block, 2 d for the last norm.
    expect(made.parameters).toBe(2 * 50304 * 128 + 12 * 128 ** 2 + 13 * 128 + 2 * 128);

    const [last, total] = progress.at(-1)!;
    expect(last).toBe(total);
    expect(progress.every(([done], index) => index === 0 || done > progress[index - 1]![0])).toBe(true);

    const description = await describeModel(folderFiles(made.folder));
    expect(description.config).toMatchObject({
      architecture: 'gpt_neox',
      layers: 1,
      width: 128,
      vocabulary: 50304,
    });
    expect(description.weights.head).toMatchObject({ dtype: 'F16', shape: [50304, 128] });
    expect(description.parameters).toBe(made.parameters);
    await description.close();
  });

  it('draws weights about zero and norm scales about one', async () => {
    const embedding = (await floats(usual, 'gpt_neox.embed_in.weight')).subarray(0, 2 ** 20);
    const { mean, deviation } = moments(embedding);
    // A million draws: the mean's own deviation is 2e-5, the deviation's is 1.4e-5.
    expect(Math.abs(mean)).toBeLessThan(8e-5);
    expect(Math.abs(deviation - 0.02)).toBeLessThan(6e-5);
    // Normal: 68.27 % within one deviation, 4.55 % beyond two.
    const beyond = (limit: number) =>
      embedding.filter((value) => Math.abs(value) > limit).length / embedding.length;
    expect(beyond(0.02)).toBeCloseTo(0.3173, 2);
    expect(beyond(0.04)).toBeCloseTo(0.0455, 2);
    const scales = moments(await floats(usual, 'gpt_neox.final_layer_norm.weight'));
    expect(Math.abs(scales.mean - 1)).toBeLessThan(0.01);
    expect(Math.abs(scales.deviation - 0.02)).toBeLessThan(0.006);
  });

  it('draws neighbours, rows and tensors that have nothing to do with each other', async () => {
    const embedding = (await floats(usual, 'gpt_neox.embed_in.weight')).subarray(0, 2 ** 20);
    const output = await floats(usual, 'embed_out.weight');
    const correlation = (a: Float32Array, b: Float32Array) => {
      const count = Math.min(a.length, b.length);
      let sum = 0;
      for (let index = 0; index < count; index++) sum += a[index]! * b[index]!;
      return sum / count / 0.02 ** 2;
    };
    // A million products of independent values: a deviation of 1e-3.
    for (const lag of [1, 2, 128, 8192]) {
      expect(Math.abs(correlation(embedding, embedding.subarray(lag)))).toBeLessThan(5e-3);
    }
    expect(Math.abs(correlation(embedding, output))).toBeLessThan(5e-3);
  });

  it('writes the buffers that the published files have', async () => {
    const mask = await read(usual, 'gpt_neox.layers.0.attention.bias');
    expect(mask.entry).toMatchObject({ dtype: 'U8', shape: [1, 1, 2048, 2048] });
    let wrong = 0;
    for (let row = 0; row < 2048; row++) {
      for (let column = 0; column < 2048; column++) {
        if (mask.bytes[row * 2048 + column] !== (column <= row ? 1 : 0)) wrong++;
      }
    }
    expect(wrong).toBe(0);
    const frequencies = await floats(usual, 'gpt_neox.layers.0.attention.rotary_emb.inv_freq');
    expect([...frequencies]).toEqual([1, 0.1, 0.01, 0.001].map(Math.fround));
    expect([...(await floats(usual, 'gpt_neox.layers.0.attention.masked_bias'))]).toEqual([-Infinity]);
  });

  it.each(['F32', 'F16', 'BF16'] as const)('writes the same weights, rounded, in %s', async (dtype) => {
    const weights = await floats(exact, 'gpt_neox.layers.0.attention.dense.weight');
    const folder = dtype === 'F32' ? exact : (await make({ dtype })).folder;
    const { entry } = await read(folder, 'gpt_neox.layers.0.attention.dense.weight');
    expect(entry.dtype).toBe(dtype);
    const rounded = await floats(folder, 'gpt_neox.layers.0.attention.dense.weight');
    const relative = { F32: 0, F16: 2 ** -11, BF16: 2 ** -8 }[dtype];
    const smallest = dtype === 'F16' ? 2 ** -25 : 0;
    expect(rounded.length).toBe(128 * 128);
    expect(
      rounded.every(
        (value, index) =>
          Math.abs(value - weights[index]!) <= relative * Math.abs(weights[index]!) + smallest,
      ),
    ).toBe(true);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
    expect(config).toMatchObject({
      torch_dtype: { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[dtype],
    });
  });

  it('gives the same weights for a seed, in any number of shards and layers, and others for another', async () => {
    const names = [
      'gpt_neox.embed_in.weight',
      'gpt_neox.layers.0.mlp.dense_h_to_4h.weight',
      'embed_out.weight',
    ];
    const [sharded, deeper, other] = [
      await make({ shards: 3 }),
      await make({ layers: 2 }),
      await make({ seed: 29 }),
    ];
    for (const name of names) {
      const { bytes } = await read(usual, name);
      expect(Buffer.compare((await read(sharded.folder, name)).bytes, bytes)).toBe(0);
      expect(Buffer.compare((await read(deeper.folder, name)).bytes, bytes)).toBe(0);
      expect(Buffer.compare((await read(other.folder, name)).bytes, bytes)).not.toBe(0);
    }
    const layer = (index: number) => read(deeper.folder, `gpt_neox.layers.${index}.attention.dense.weight`);
    expect(Buffer.compare((await layer(0)).bytes, (await layer(1)).bytes)).not.toBe(0);
  });

  it('spreads the tensors over shards that an index names', async () => {
    const { folder, files, bytes } = await make({ layers: 3, shards: 4 });
    expect(files.slice(0, 4)).toEqual([1, 2, 3, 4].map((shard) => `model-0000${shard}-of-00004.safetensors`));
    expect(files.slice(4)).toEqual(['model.safetensors.index.json', 'config.json']);
    const sizes = await Promise.all(
      files.slice(0, 4).map(async (file) => (await readFile(join(folder, file))).byteLength),
    );
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(bytes);
    const checkpoint = await Checkpoint.open(folderFiles(folder));
    const { config, dtype, prefix } = publishedModel(SMALL.like);
    const expected = publishedTensors(
      readArchitecture({ ...config, num_hidden_layers: 3 }, 'config'),
      dtype,
      prefix,
    );
    expect([...checkpoint.tensors.keys()].sort()).toEqual(expected.map(({ name }) => name).sort());
    const total = [...checkpoint.tensors.values()].reduce((sum, entry) => sum + entry.bytes, 0);
    await checkpoint.close();
    const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8')) as object;
    expect(index).toMatchObject({ metadata: { total_size: total } });
  });

  it('leaves no shard empty, as many as there are tensors', async () => {
    const { folder, files } = await make({ shards: 19 });
    expect(files).toHaveLength(21);
    const checkpoint = await Checkpoint.open(folderFiles(folder));
    expect(new Set([...checkpoint.tensors.values()].map(({ source }) => source)).size).toBe(19);
    await checkpoint.close();
  });

  it('removes what it wrote when it is aborted', async () => {
    const folder = await temporaryFolder();
    const out = join(folder, 'model');
    const stop = new AbortController();
    const reason = new Error('stopped');
    const run = (target: string) =>
      makeCheckpoint({
        ...SMALL,
        out: target,
        shards: 2,
        signal: stop.signal,
        onProgress: (done, total) => {
          if (done > total / 2) stop.abort(reason);
        },
      });
    await expect(run(out)).rejects.toBe(reason);
    expect(await readdir(folder)).toEqual([]);
    // Aborted before it began, and in a folder that was there before.
    await mkdir(out);
    await expect(run(out)).rejects.toBe(reason);
    expect(await readdir(out)).toEqual([]);
  });

  it('leaves a folder that was there before, without its own files', async () => {
    const folder = await temporaryFolder();
    const stop = new AbortController();
    let lastShard = false;
    const made = makeCheckpoint({
      ...SMALL,
      out: folder,
      shards: 2,
      signal: stop.signal,
      onProgress: (done, total) => {
        lastShard = done > 0.9 * total;
        if (lastShard) stop.abort();
      },
    });
    await expect(made).rejects.toMatchObject({ name: 'AbortError' });
    expect(lastShard).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  it('writes into no folder that holds something, and over no file', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'model.safetensors'), 'precious');
    await expect(makeCheckpoint({ ...SMALL, out: folder })).rejects.toThrow(InputError);
    await expect(makeCheckpoint({ ...SMALL, out: folder })).rejects.toThrow(
      /is not empty; give a new folder/,
    );
    await expect(makeCheckpoint({ ...SMALL, out: join(folder, 'model.safetensors') })).rejects.toThrow(
      InputError,
    );
    await expect(makeCheckpoint({ ...SMALL, out: join(folder, 'model.safetensors', 'x') })).rejects.toThrow(
      FileError,
    );
    expect(await readFile(join(folder, 'model.safetensors'), 'utf8')).toBe('precious');
    expect(await readdir(folder)).toEqual(['model.safetensors']);
  });

  it('refuses what cannot be made, and makes nothing', async () => {
    const folder = await temporaryFolder();
    const out = join(folder, 'model');
    for (const options of [
      { like: 'llama' },
      { shards: 0 },
      { shards: 20 },
      { shards: 1.5 },
      { seed: 0.5 },
    ]) {
      await expect(makeCheckpoint({ ...SMALL, out, ...options })).rejects.toThrow(InputError);
    }
    for (const layers of [0, -1, 1.5, 1001]) {
      const made = makeCheckpoint({ ...SMALL, out, layers });
      await expect(made).rejects.toThrow(InputError);
      await expect(made).rejects.toThrow(`--layers ${layers} is not a whole number from 1 to 1000`);
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it('makes a Qwen 3 as well, whose norms of queries and keys are scales', async () => {
    const { folder } = await make({
      like: 'Qwen/Qwen3-0.6B',
      layers: 1,
      settings: { vocab_size: 100, hidden_size: 64, intermediate_size: 96 },
    });
    const description = await describeModel(folderFiles(folder));
    const { config, weights, dtype } = description;
    expect(config).toMatchObject({ architecture: 'qwen3', heads: 16, keyValueHeads: 8, headWidth: 128 });
    expect([dtype, weights.isTied]).toEqual(['BF16', true]);
    expect(weights.blocks[0]!['queryWeight']).toMatchObject({ shape: [16 * 128, 64] });
    await description.close();
    const scales = await floats(folder, 'model.layers.0.self_attn.q_norm.weight');
    expect(Math.abs(moments(scales).mean - 1)).toBeLessThan(0.01);
  });

  it('makes a GPT-2 as well', async () => {
    const { folder } = await make({ like: 'distilgpt2', layers: 1, dtype: 'F16' });
    const description = await describeModel(folderFiles(folder));
    const { config, weights } = description;
    expect(config).toMatchObject({ architecture: 'gpt2', layers: 1, width: 768, tiedEmbeddings: true });
    expect(weights.blocks[0]!['queryKeyValueWeight']).toMatchObject({
      name: 'transformer.h.0.attn.c_attn.weight',
      shape: [768, 2304],
    });
    await description.close();
    const mask = await floats(folder, 'transformer.h.0.attn.bias');
    expect([mask[0], mask[1], mask[1023], mask[1024], mask.at(-1)]).toEqual([1, 0, 0, 1, 1]);
    expect(mask.reduce((sum, value) => sum + value, 0)).toBe((1024 * 1025) / 2);
  });
});
