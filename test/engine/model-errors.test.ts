import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { describeModel } from '../../src/engine/description.ts';
import { CheckpointError, InputError, NumericalError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import { goldenFiles } from '../support/golden.ts';
import { mapped, rebuiltFiles } from '../support/rebuilt-files.ts';
import { changedFiles, limitedGpu, loadAndRecord, streamingLimit } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

const ids = Int32Array.of(3, 1, 4, 1, 5);
const GPT2 = 'gpt2-inverse-layer-scale';
const NEOX = 'neox-f32-sequential';

describe.each([
  ['resident', false],
  ['streaming', true],
] as const)('%s', (_, streams) => {
  test.each([
    [GPT2, /h\.1\.mlp\.c_fc\.weight$/, 3],
    [GPT2, /h\.2\.attn\.c_attn\.bias$/, 0],
    [GPT2, /ln_f\.weight$/, 7],
    [GPT2, /wte\.weight$/, 4],
    [GPT2, /wpe\.weight$/, 2],
    [NEOX, /layers\.0\.attention\.dense\.weight$/, 63],
    [NEOX, /embed_in\.weight$/, 5],
  ] as const)('%s: a NaN in %s, row %i, is named', async (name, pattern, row) => {
    const checkpoint = await Checkpoint.open(goldenFiles(name));
    const tensor = [...checkpoint.tensors.keys()].find((key) => pattern.test(key))!;
    await checkpoint.close();
    const memoryLimit = streams ? await streamingLimit(gpu, goldenFiles(name)) : Infinity;
    using limited = limitedGpu(gpu, { memoryLimit });
    for (const bytes of [
      [0, 0, 0xc0, 0x7f],
      [0, 0, 0x80, 0xff],
    ]) {
      const run = loadAndRecord(limited, changedFiles(goldenFiles(name), { tensor, row }, bytes), [ids]);
      await expect(run).rejects.toThrow(NumericalError);
      await expect(run).rejects.toThrow(new RegExp(`tensor ${tensor} in .*model\\.safetensors holds a NaN`));
      expect(limited.allocatedBytes).toBe(0);
    }
  });

  test.each([
    ['a NaN in an untied head', 'embed_out.weight', [0, 0, 0xc0, 0x7f]],
    ['an infinity in an untied head', 'embed_out.weight', [0, 0, 0x80, 0xff]],
  ] as const)('%s costs the logits alone', async (_name, tensor, bytes) => {
    const clean = await loadAndRecord(gpu, goldenFiles(NEOX), [ids]);
    const files = changedFiles(goldenFiles(NEOX), { tensor, row: 300 }, bytes);
    const memoryLimit = streams ? await streamingLimit(gpu, goldenFiles(NEOX)) : Infinity;
    using limited = limitedGpu(gpu, { memoryLimit });
    const run = await loadAndRecord(limited, files, [ids], { loss: true, lens: { top: 2 } });
    expect(run.hiddenStates).toEqual(clean.hiddenStates);
    expect(run.residualFinal).toEqual(clean.residualFinal);
    expect([run.maxLogSoftmax, run.argmax, run.loss, run.lens]).toEqual([null, null, null, null]);
    expect(run.notices).toEqual([
      expect.stringMatching(/^tensor embed_out\.weight in .* holds a NaN .*no logits$/),
    ]);
    const logits = loadAndRecord(limited, files, [ids], { onLogits: () => undefined });
    await expect(logits).rejects.toThrow(/^tensor embed_out\.weight in .* holds a NaN/);
    expect(limited.allocatedBytes).toBe(0);
  });

  test('a NaN in the final norm is no obstacle to the activations before it', async () => {
    const files = changedFiles(goldenFiles(NEOX), { tensor: 'gpt_neox.final_layer_norm.weight', row: 3 });
    const memoryLimit = streams ? await streamingLimit(gpu, goldenFiles(NEOX)) : Infinity;
    using limited = limitedGpu(gpu, { memoryLimit });
    const activation = async (model: Model, at: string) => {
      const notices: string[] = [];
      const run = await model.run([ids], {
        capture: [at],
        lens: { top: 1 },
        onNotice: (it) => notices.push(it),
      });
      return { run, notices, values: run.activations.get(at)!.values };
    };
    const [sound, damaged] = [await describeModel(goldenFiles(NEOX)), await describeModel(files)];
    {
      using whole = await Model.load(gpu, sound);
      using model = await Model.load(limited, damaged);
      const last = 'blocks.2.hook_resid_post';
      const found = await activation(model, last);
      expect(found.values).toEqual((await activation(whole, last)).values);
      expect([found.run.maxLogSoftmax, found.run.lens]).toEqual([null, null]);
      expect(found.notices).toEqual([expect.stringMatching(/final_layer_norm\.weight .* holds a NaN/)]);
      expect(await model.logitsFault()).toBe(found.notices[0]);
      await expect(model.run([ids], { capture: ['ln_final.*'] })).rejects.toThrow(/final_layer_norm\.weight/);
    }
    expect(limited.allocatedBytes).toBe(0);
    await sound.close();
    await damaged.close();
  });
});

test('a NaN in an embedding row that no token uses harms nothing', async () => {
  const clean = await loadAndRecord(gpu, goldenFiles(NEOX), [ids]);
  const tensor = 'gpt_neox.embed_in.weight';
  const run = await loadAndRecord(gpu, changedFiles(goldenFiles(NEOX), { tensor, row: 200 }), [ids]);
  expect(run.hiddenStates).toEqual(clean.hiddenStates);
});

test('logits beyond float32 are told of, and are not a NaN in the result', async () => {
  // The first dimension of the normed states a hundredfold, times the largest float32.
  const norm = { tensor: 'gpt_neox.final_layer_norm.weight', row: 0 };
  const louder = changedFiles(goldenFiles(NEOX), norm, [0, 0, 0xc8, 0x42]);
  const files = changedFiles(louder, { tensor: 'embed_out.weight', row: 300 }, [0xff, 0xff, 0x7f, 0x7f]);
  const run = await loadAndRecord(gpu, files, [ids]);
  expect(run.hiddenStates).toHaveLength(4);
  expect(run.maxLogSoftmax).toBeNull();
  expect(run.notices.join()).toMatch(/^a logit of token \d+ of the batch leaves float32's range.*no logits$/);
  const logits = loadAndRecord(gpu, files, [ids], { onLogits: () => undefined });
  await expect(logits).rejects.toThrow(/^a logit of token \d+ of the batch leaves float32's range/);
  await expect(logits).rejects.toMatchObject({
    code: 'logit-not-finite',
    subject: { kind: 'tensor', name: 'lm_head' },
  });
});

test.each(['relu', 'relu6', 'sigmoid'])(
  'a NaN that arises within a block is seen, though %s comes after it',
  async (activation) => {
    // The norm of a third of the elements overflows, to either infinity: sums of both are NaN in whichever order they are added.
    const files = await rebuiltFiles(goldenFiles(NEOX), ({ config, tensors }) => {
      config['hidden_act'] = activation;
      for (const [name, tensor] of tensors) {
        if (/layers\.1\.post_attention_layernorm\.weight$/.test(name))
          tensors.set(
            name,
            mapped(tensor, () => 3.4e38),
          );
      }
    });
    const run = loadAndRecord(gpu, files, [ids]);
    await expect(run).rejects.toThrow(NumericalError);
    await expect(run).rejects.toThrow(/^hidden state 2 holds a NaN or an infinity/);
    await expect(run).rejects.toMatchObject({ subject: { kind: 'activation', name: 'hidden state 2' } });
  },
);

/** The text with the one place changed; a test that changes nothing must not pass. */
function replaced(text: string, from: RegExp, to: string): string {
  expect(text).toMatch(from);
  const result = text.replace(from, to);
  expect(result).toHaveLength(text.length);
  return result;
}

test.each([
  [
    GPT2,
    /h\.1\.mlp\.c_fc\.weight/,
    'h.1.mlp.c_fc.waight',
    /tensor \S*h\.1\.mlp\.c_fc\.weight is not in .*safetensors/,
  ],
  [GPT2, /ln_f\.bias/, 'ln_f.bios', /tensor \S*ln_f\.bias is not in/],
  [GPT2, /wpe\.weight/, 'wpa.weight', /tensor \S*wpe\.weight is not in/],
  [
    NEOX,
    /layers\.2\.mlp\.dense_4h_to_h\.bias/,
    'layers.2.mlp.dense_4h_to_h.bios',
    /tensor \S*layers\.2\.mlp\.dense_4h_to_h\.bias is not in/,
  ],
] as const)('%s without %s is refused', async (name, from, to, message) => {
  const files = changedFiles(goldenFiles(name), { header: (text) => replaced(text, from, to) });
  const run = loadAndRecord(gpu, files, [ids]);
  await expect(run).rejects.toThrow(CheckpointError);
  await expect(run).rejects.toThrow(message);
  expect(gpu.allocatedBytes).toBe(0);
});

test.each([
  [
    GPT2,
    /(h\.0\.mlp\.c_fc\.weight"[^}]*"shape": ?\[)48(, ?)192/,
    '$1192$248',
    /c_fc\.weight .*\[192, 48\].*\[48, 192\]/,
  ],
  [
    NEOX,
    /(embed_out\.weight"[^}]*"shape": ?\[)307(, ?)64/,
    '$164$2307',
    /embed_out\.weight .*\[64, 307\].*\[307, 64\]/,
  ],
] as const)('%s with a matrix of another shape is refused', async (name, from, to, message) => {
  const files = changedFiles(goldenFiles(name), {
    header: (text) => replaced(text, from, to.replace('$164', '$1' + '64')),
  });
  const run = loadAndRecord(gpu, files, [ids]);
  await expect(run).rejects.toThrow(CheckpointError);
  await expect(run).rejects.toThrow(message);
});

test('what cannot be run is refused with the reason', async () => {
  const description = await describeModel(goldenFiles(GPT2));
  using model = await Model.load(gpu, description);
  const { vocabulary, context } = model.config;
  const before = gpu.allocatedBytes;
  const refusals: [Int32Array[], RegExp][] = [
    [[], /no tokens/],
    [[new Int32Array()], /no tokens/],
    [[ids, new Int32Array()], /equal lengths/],
    [[ids, ids.slice(1)], /equal lengths/],
    [[new Int32Array(context + 1)], new RegExp(`${context + 1} tokens .* context of ${context}`)],
    [[Int32Array.of(0, 1, vocabulary)], new RegExp(`id ${vocabulary} at position 2 .* ${vocabulary}`)],
    [[ids, Int32Array.of(0, -1, 2, 3, 4)], /id -1 at position 1/],
  ];
  for (const [sequences, message] of refusals) {
    const run = model.run(sequences);
    await expect(run).rejects.toThrow(InputError);
    await expect(run).rejects.toThrow(message);
    expect(gpu.allocatedBytes).toBe(before);
  }
  // The longest and the largest that are allowed.
  await model.run([new Int32Array(context).fill(vocabulary - 1)]);
  await description.close();
});
