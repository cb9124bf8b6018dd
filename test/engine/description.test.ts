import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { profileReport } from '../../src/analysis/profile-report.ts';
import { describeModel } from '../../src/engine/description.ts';
import {
  CheckpointError,
  FileError,
  InputError,
  LaminarError,
  NumericalError,
} from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import type { GoldenCase } from '../support/golden.ts';
import { goldenCases, goldenFiles } from '../support/golden.ts';
import { limitedGpu, loadAndRecord, streamingLimit } from '../support/model-runs.ts';
import type { LoadedRun } from '../support/model-runs.ts';
import { asF64, mapped, rebuiltFiles, renameAll } from '../support/rebuilt-files.ts';
import type { RebuiltModel } from '../support/rebuilt-files.ts';

let gpu: Gpu;
/** What the two models give as they were published. */
const plain = new Map<GoldenCase, LoadedRun>();
const ids = Int32Array.of(3, 1, 4, 1, 5, 9, 2, 6);
/** Tied, F32, names without a prefix and with mask buffers; and untied, F32, names with a prefix. */
const GPT2 = 'gpt2-inverse-layer-scale';
const NEOX = 'neox-f32-sequential';

beforeAll(async () => {
  gpu = await openTestGpu();
  for (const name of [GPT2, NEOX] as const)
    plain.set(name, await loadAndRecord(gpu, goldenFiles(name), [ids]));
});
afterAll(() => {
  gpu.dispose();
});

const run = async (name: GoldenCase, change: (model: RebuiltModel) => void, on = gpu): Promise<LoadedRun> =>
  loadAndRecord(on, await rebuiltFiles(goldenFiles(name), change), [ids]);

/** The states, and with `logits` the rest, are those of the model as published, bit for bit. */
function expectPlain(name: GoldenCase, found: LoadedRun, logits = true): void {
  const expected = plain.get(name)!;
  expect(found.hiddenStates).toEqual(expected.hiddenStates);
  expect(found.residualFinal).toEqual(expected.residualFinal);
  if (logits) {
    expect(found.maxLogSoftmax).toEqual(expected.maxLogSoftmax);
    expect(found.argmax).toEqual(expected.argmax);
  }
}

/** Fails as a user should see it: one of our errors, in one line. */
async function failure(name: GoldenCase, change: (model: RebuiltModel) => void): Promise<LaminarError> {
  const files = await rebuiltFiles(goldenFiles(name), change);
  const error: unknown = await describeModel(files).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LaminarError);
  expect((error as Error).message).not.toContain('\n');
  return error as LaminarError;
}

/** The name of the tensor that ends like that. */
const named = (model: RebuiltModel, end: string): string =>
  [...model.tensors.keys()].find((name) => name === end || name.endsWith(`.${end}`))!;

describe('names', () => {
  test.each(['module.', '_orig_mod.', 'model.', '_orig_mod.module.', 'a.b.c.'])(
    'are found behind %s',
    async (prefix) => {
      for (const name of [GPT2, NEOX] as const) {
        const found = await run(name, (model) => renameAll(model, (tensor) => prefix + tensor));
        expectPlain(name, found);
        expect(found.notices).toEqual([]);
      }
    },
  );

  test('are found where the prefix of the base model is missing, and its head stands beside or within', async () => {
    for (const head of [
      'embed_out.weight',
      'lm_head.weight',
      'model.embed_out.weight',
      'model.lm_head.weight',
    ]) {
      const found = await run(NEOX, (model) =>
        renameAll(model, (tensor) =>
          tensor === 'embed_out.weight' ? head : tensor.replace('gpt_neox.', 'model.'),
        ),
      );
      expectPlain(NEOX, found);
    }
  });

  test('a mask is not a parameter, and what is near a missing name is named', async () => {
    const error = await failure(GPT2, (model) => {
      const bias = named(model, 'h.1.attn.c_attn.bias');
      model.tensors.set(bias.replace('c_attn.', ''), model.tensors.get(bias)!);
      model.tensors.set(bias.replace('c_attn', 'c_atn'), model.tensors.get(bias)!);
      model.tensors.delete(bias);
    });
    expect(error).toBeInstanceOf(CheckpointError);
    expect(error.message).toMatch(
      /^tensor \S*h\.1\.attn\.c_attn\.bias is not in folder\/model\.safetensors \(the nearest name there is \S*h\.1\.attn\.c_atn\.bias\)/,
    );
  });

  test('of two whole models those that published files have are taken, or both are named', async () => {
    const both = (first: string, second: string) => (model: RebuiltModel) => {
      const own = [...model.tensors];
      const base = (name: string) => name.replace(/^transformer\./, '');
      model.tensors = new Map(
        own.flatMap(([name, tensor]) => [
          [first + base(name), tensor],
          [second + base(name), tensor.dtype === 'F32' ? mapped(tensor, (value) => value / 2) : tensor],
        ]),
      );
    };
    const found = await run(GPT2, both('transformer.', 'reference.transformer.'));
    expectPlain(GPT2, found);
    expect(found.notices.join()).toMatch(/begin with "reference\.transformer\." are left out/);
    expect((await failure(GPT2, both('policy.', 'value.'))).message).toMatch(
      /more than one model, with names that begin with "policy\." and "value\."/,
    );
    expect((await failure(GPT2, both('transformer.', ''))).message).toMatch(
      /begin with "transformer\." and ""/,
    );
  });

  test('that nothing needs are no obstacle', async () => {
    const found = await run(GPT2, (model) => {
      const extra = { dtype: 'I64', shape: [1], bytes: new Uint8Array(8) };
      for (const name of ['score.weight', 'v_head.summary.weight', 'h.0.attn.masked_bias', 'step']) {
        model.tensors.set(name, extra);
      }
    });
    expectPlain(GPT2, found);
  });
});

describe('heads', () => {
  test.each([GPT2, NEOX] as const)('%s: a tied pair is known from either side', async (name) => {
    const [token, own] =
      name === GPT2 ? ['wte.weight', 'lm_head.weight'] : ['embed_in.weight', 'embed_out.weight'];
    const sides: LoadedRun[] = [];
    for (const side of ['both', 'token', own, 'embed_out.weight', 'lm_head.weight']) {
      const found = await run(name, (model) => {
        model.config['tie_word_embeddings'] = true;
        const table = named(model, token);
        const tensor = model.tensors.get(table)!;
        model.tensors.delete(own);
        if (side !== 'token') model.tensors.set(side === 'both' ? own : side, tensor);
        if (side !== 'token' && side !== 'both') model.tensors.delete(table);
      });
      expectPlain(name, found, name === GPT2);
      expect(found.notices).toEqual([]);
      sides.push(found);
    }
    for (const side of sides) expect(side.maxLogSoftmax).toEqual(sides[0]!.maxLogSoftmax);
  });

  test('one that differs from the embedding is used, one that is the same in another dtype is tied', async () => {
    const withHead = (change: (value: number, index: number) => number, double = false) =>
      rebuiltFiles(goldenFiles(GPT2), (model) => {
        const head = mapped(model.tensors.get(named(model, 'wte.weight'))!, change);
        model.tensors.set('lm_head.weight', double ? asF64(head) : head);
      });
    const parameters = async (files: Awaited<ReturnType<typeof withHead>>) => {
      const description = await describeModel(files);
      await description.close();
      return description.parameters;
    };
    const same = await withHead((value) => value, true);
    const tied = await loadAndRecord(gpu, same, [ids]);
    expectPlain(GPT2, tied);
    expect(tied.notices).toEqual([]);
    const untied = await parameters(goldenFiles(GPT2));
    expect(await parameters(same)).toBe(untied);
    // The very last number differs, by a unit in its last place.
    const last = 307 * 48 - 1;
    for (const double of [false, true]) {
      const files = await withHead((value, at) => (at === last ? value * (1 + 2 ** -23) : value), double);
      const found = await loadAndRecord(gpu, files, [ids]);
      expectPlain(GPT2, found, false);
      expect(found.notices).toHaveLength(1);
      expect(found.notices[0]).toMatch(/lm_head\.weight differs from \S*wte\.weight/);
      expect(await parameters(files)).toBe(untied + 307 * 48);
    }
    const doubled = await loadAndRecord(gpu, await withHead((value) => 2 * value), [ids]);
    expect(doubled.maxLogSoftmax).not.toEqual(plain.get(GPT2)!.maxLogSoftmax);
  });

  test.each([
    [GPT2, 'a base model'],
    [NEOX, 'a base model'],
    [NEOX, 'a classifier'],
  ] as const)('%s, %s without one gives states and no logits', async (name, kind) => {
    const files = await rebuiltFiles(goldenFiles(name), (model) => {
      model.config['tie_word_embeddings'] = false;
      const head = model.tensors.get('embed_out.weight');
      for (const own of ['embed_out.weight', 'lm_head.weight']) model.tensors.delete(own);
      if (kind === 'a classifier') model.tensors.set('score.weight', { ...head!, shape: head!.shape });
    });
    for (const memoryLimit of [Infinity, await streamingLimit(gpu, files)]) {
      using limited = limitedGpu(gpu, { memoryLimit });
      const found = await loadAndRecord(limited, files, [ids]);
      expectPlain(name, found, false);
      expect(found.maxLogSoftmax).toBeNull();
      expect(found.argmax).toBeNull();
      expect(found.notices).toHaveLength(1);
      expect(found.notices[0]).toMatch(/^folder: has no head/);
      const logits = loadAndRecord(limited, files, [ids], { onLogits: () => undefined });
      await expect(logits).rejects.toThrow(InputError);
      await expect(logits).rejects.toThrow(/has no head, so there are no logits/);
    }
  });

  test('a NaN in a row of a tied embedding that no token reads is an obstacle to logits only', async () => {
    const files = await rebuiltFiles(goldenFiles(GPT2), (model) => {
      const table = named(model, 'wte.weight');
      model.tensors.delete('lm_head.weight');
      model.tensors.set(
        table,
        mapped(model.tensors.get(table)!, (value, at) => (at === 306 * 48 + 5 ? NaN : value)),
      );
    });
    for (const memoryLimit of [Infinity, await streamingLimit(gpu, goldenFiles(GPT2))]) {
      using limited = limitedGpu(gpu, { memoryLimit });
      const found = await loadAndRecord(limited, files, [ids]);
      expectPlain(GPT2, found, false);
      expect(found.maxLogSoftmax).toBeNull();
      expect(found.notices.join()).toMatch(
        /^tensor \S*wte\.weight in .* holds a NaN .*only the logits need it/,
      );
      const logits = loadAndRecord(limited, files, [ids], { onLogits: () => undefined });
      await expect(logits).rejects.toThrow(NumericalError);
      await expect(loadAndRecord(limited, files, [Int32Array.of(1, 306)])).rejects.toThrow(/wte\.weight/);
      const description = await describeModel(files);
      const model = await Model.load(limited, description);
      expect(await model.logitsFault()).toMatch(/wte\.weight .* holds a NaN/);
      model.dispose();
      expect(limited.allocatedBytes).toBe(0);
    }
  });
});

function addLora(model: RebuiltModel): void {
  renameAll(model, (name) => `base_model.model.${name.replace('dense.weight', 'dense.lora_A.weight')}`);
}

function addAdapterConfig(model: RebuiltModel): void {
  model.weightFile = 'adapter_model.safetensors';
  model.files['adapter_config.json'] = '{}';
}

describe('dtypes', () => {
  test.each([GPT2, NEOX] as const)('%s: F64 is rounded on the way', async (name) => {
    const files = await rebuiltFiles(goldenFiles(name), (model) => {
      for (const [tensor, value] of model.tensors) {
        if (value.dtype === 'F32') model.tensors.set(tensor, asF64(value));
      }
    });
    for (const memoryLimit of [Infinity, await streamingLimit(gpu, goldenFiles(name))]) {
      using limited = limitedGpu(gpu, { memoryLimit });
      expectPlain(name, await loadAndRecord(limited, files, [ids]), memoryLimit === Infinity);
    }
    const description = await describeModel(files);
    expect(description.dtype).toBe('F64');
  });

  test.each([
    [
      'names of GPTQ',
      (model: RebuiltModel) => renameAll(model, (name) => name.replace('dense.weight', 'dense.qweight')),
    ],
    [
      'scales of FP8',
      (model: RebuiltModel) => renameAll(model, (name) => name.replace('dense.bias', 'dense.weight_scale')),
    ],
    [
      'integers',
      (model: RebuiltModel) => {
        const name = named(model, 'layers.1.mlp.dense_h_to_4h.weight');
        const { shape, bytes } = model.tensors.get(name)!;
        model.tensors.set(name, { dtype: 'I8', shape, bytes: bytes.subarray(0, bytes.length / 4) });
      },
    ],
    [
      'a configuration',
      (model: RebuiltModel) => (model.config = { quantization_config: { quant_method: 'awq' } }),
    ],
  ] as const)('quantised weights are called so, by %s', async (_, change) => {
    expect((await failure(NEOX, change)).message).toMatch(/the weights are quantised \(/);
  });

  test.each([
    ['names of LoRA', addLora],
    ['its configuration', addAdapterConfig],
  ] as const)('an adapter is called so, by %s', async (_, change) => {
    expect((await failure(NEOX, change)).message).toMatch(
      /adapter.*merge the adapter into its base model first/,
    );
  });
});

describe('layers', () => {
  test('more than the weights have are refused before anything is made for each', async () => {
    for (const layers of [4, 1e6, 2e9]) {
      for (const [name, key] of [
        [GPT2, 'n_layer'],
        [NEOX, 'num_hidden_layers'],
      ] as const) {
        const error = await failure(name, (model) => (model.config[key] = layers));
        expect(error.message).toMatch(new RegExp(`says ${layers} layers, and the weights have 3 `));
      }
    }
  });

  test('fewer than the weights have are run, and the others are told of', async () => {
    const found = await run(NEOX, (model) => (model.config['num_hidden_layers'] = 2));
    expect(found.hiddenStates).toHaveLength(3);
    expect(found.hiddenStates.slice(0, 2)).toEqual(plain.get(NEOX)!.hiddenStates.slice(0, 2));
    expect(found.residualFinal).toEqual(plain.get(NEOX)!.hiddenStates[2]);
    expect(found.notices).toEqual([
      'folder: the weights have 3 layers and config.json says 2; layer 2 is left out',
    ]);
  });

  test('none at all are refused by the first weight', async () => {
    const error = await failure(GPT2, (model) => renameAll(model, (name) => name.replace('h.', 'blocks.')));
    expect(error.message).toMatch(
      /^tensor \S*h\.0\.ln_1\.weight is not in .* \(the nearest name there is \S*\.ln_/,
    );
  });
});

describe('files', () => {
  test.each([
    ['model.fp16.safetensors', true],
    ['model.fp16.safetensors', false],
    ['model-00001-of-00001.safetensors', true],
    ['model-00001-of-00001.safetensors', false],
    ['pytorch_model.safetensors', false],
    ['gpt2-of-mine.safetensors', true],
    ['my-model-00001-of-00001.safetensors', true],
  ])('%s holds the weights (listed: %s)', async (weightFile, isListed) => {
    const found = await run(GPT2, (model) => {
      Object.assign(model, { weightFile, isListed });
      model.files['optimizer.safetensors'] = 'not this one';
    });
    expectPlain(GPT2, found);
    const isUsual =
      weightFile === 'pytorch_model.safetensors' || weightFile === 'model-00001-of-00001.safetensors';
    expect(found.notices).toEqual(
      isUsual ? [] : [`folder: has no model.safetensors; its weights are read from ${weightFile}`],
    );
  });

  test('of several that could be meant none is guessed', async () => {
    const error = await failure(GPT2, (model) => {
      model.weightFile = 'a.safetensors';
      model.files['b.safetensors'] = '';
    });
    expect(error).toBeInstanceOf(FileError);
    expect(error.message).toMatch(/several safetensors files \(a\.safetensors, b\.safetensors\)/);
  });
});

test('what follows from a description is what runs take', async () => {
  for (const name of goldenCases) {
    const description = await describeModel(goldenFiles(name));
    using limited = limitedGpu(gpu, {});
    const model = await Model.load(limited, description);
    expect(limited.allocatedBytes, name).toBe(description.sizes.all);
    const tokens = Math.min(ids.length, description.config.context);
    await model.run([ids.subarray(0, tokens)]);
    const taken = limited.peakBytes - description.sizes.all;
    const bound = description.activationBytes(1, tokens);
    expect(taken, name).toBeLessThanOrEqual(bound);
    model.dispose();
    await description.close();
  }
});

test('operations are counted as by hand', async () => {
  const description = await describeModel(goldenFiles(GPT2));
  const { layers, width: d, innerWidth: m, vocabulary } = description.config;
  const [sequences, tokens] = [2, 9];
  const matrices = layers * (4 * d * d + 2 * d * m) + vocabulary * d;
  const attention = layers * 2 * tokens * (tokens + 1) * d;
  expect(description.operations(sequences, tokens)).toBe(sequences * (2 * tokens * matrices + attention));
  expect(description.products().block.map(({ inner, columns }) => [inner, columns])).toEqual([
    [d, 3 * d],
    [d, d],
    [d, m],
    [m, d],
  ]);
  await description.close();
});

test('ids are checked before any weight is read', async () => {
  const description = await describeModel(goldenFiles(GPT2));
  let loaded = 0;
  const profile = profileReport(
    gpu,
    description,
    { id: 'x', revision: null, tokens: { real: Int32Array.of(1, 307) }, text: null, seed: 1, started: 0 },
    { threshold: 95, onLoad: () => (loaded += 1) },
  );
  await expect(profile).rejects.toThrow(InputError);
  await expect(profile).rejects.toThrow(/token id 307 at position 1 is not in the vocabulary of 307/);
  expect(loaded).toBe(0);
  await description.close();
});

test('a config.json may leave out model_type where it names a class, and may name code of its own', async () => {
  const unnamed = (className: string) => (model: RebuiltModel) => {
    model.config = { ...model.config, model_type: null, architectures: [className] };
  };
  expectPlain(NEOX, await run(NEOX, unnamed('GPTNeoXForCausalLM')));
  expectPlain(GPT2, await run(GPT2, unnamed('GPT2DoubleHeadsModel')));
  expect((await failure(NEOX, unnamed('GPTNeoXJapaneseForCausalLM'))).message).toMatch(/has no model_type/);
  const found = await run(NEOX, ({ config }) => {
    config['auto_map'] = { AutoModelForCausalLM: 'modeling.Mine' };
  });
  expectPlain(NEOX, found);
  expect(found.notices.join()).toMatch(/auto_map names code of the model's own, which Laminar does not run/);
});
