import { describe, expect, test } from 'vitest';
import { describeModel } from '../../src/engine/description.ts';
import type { ModelDescription } from '../../src/engine/description.ts';
import { CheckpointError } from '../../src/engine/errors.ts';
import type { GoldenCase } from '../support/golden.ts';
import { goldenFiles } from '../support/golden.ts';
import { mapped, rebuiltFiles, renameAll } from '../support/rebuilt-files.ts';
import type { RebuiltModel } from '../support/rebuilt-files.ts';

/** Names with the prefix `transformer.`, tied; and with `gpt_neox.`, untied. */
const GPT2 = 'gpt2-inverse-layer-scale';
const NEOX = 'neox-f32-sequential';

async function found(
  name: GoldenCase,
  change: (model: RebuiltModel) => void,
): Promise<{ description: ModelDescription; notices: string[] }> {
  const notices: string[] = [];
  const files = await rebuiltFiles(goldenFiles(name), change);
  const description = await describeModel(files, { onNotice: (notice) => void notices.push(notice) });
  return { description, notices };
}

/** As many bytes as published, so none is missing and none is taken twice. */
async function expectWhole(name: GoldenCase, { sizes }: ModelDescription): Promise<void> {
  const published = await describeModel(goldenFiles(name));
  expect(sizes).toEqual(published.sizes);
}

/** The same names, without the prefix of the base. */
const bare = (name: string): string => name.replace(/^(transformer|gpt_neox)\./, '');

describe('tensors that are named unlike the others', () => {
  test.each([
    [
      'the final norm without the prefix',
      (name: string) => (/ln_f|final_layer_norm/.test(name) ? bare(name) : name),
    ],
    ['a block without the prefix', (name: string) => (/\.2\./.test(name) ? bare(name) : name)],
    ['the first block behind another', (name: string) => (/\.0\./.test(name) ? `module.${name}` : name)],
    [
      'an embedding behind another',
      (name: string) => (/wpe|embed_in/.test(name) ? `_orig_mod.${name}` : name),
    ],
    ['blocks compiled one by one', (name: string) => name.replace(/\.(\d+)\./, '.$1._orig_mod.')],
    ['modules within FSDP', (name: string) => name.replace(/\.(weight|bias)$/, '._fsdp_wrapped_module.$1')],
    ['all but one without the prefix', (name: string) => (/\.1\.mlp/.test(name) ? name : bare(name))],
    [
      'behind a name of the user',
      (name: string) => `actor.${/ln_f|final_layer_norm/.test(name) ? bare(name) : name}`,
    ],
  ])('%s', async (_, rename) => {
    for (const name of [GPT2, NEOX] as const) {
      const { description, notices } = await found(name, (model) => {
        renameAll(model, rename);
      });
      await expectWhole(name, description);
      expect(notices).toEqual([
        expect.stringMatching(/named with another prefix than the rest .* one model$/),
      ]);
    }
  });

  test('are not guessed where two may be meant', async () => {
    const files = rebuiltFiles(goldenFiles(NEOX), (model) => {
      const norm = model.tensors.get('gpt_neox.final_layer_norm.bias')!;
      model.tensors.delete('gpt_neox.final_layer_norm.bias');
      model.tensors.set('module.final_layer_norm.bias', norm);
      model.tensors.set('final_layer_norm.bias', norm);
    });
    const opened = files.then((it) => describeModel(it));
    await expect(opened).rejects.toThrow(CheckpointError);
    await expect(opened).rejects.toThrow(
      /^tensor gpt_neox\.final_layer_norm\.bias is not in .*(module\.)?final_layer_norm\.bias or .*keep one of them$/,
    );
  });

  test("are another model's where a name of the user stands before them, and the nearest", async () => {
    const opened = found(NEOX, (model) => {
      renameAll(model, (name) => (/final_layer_norm/.test(name) ? `critic.${bare(name)}` : name));
    });
    await expect(opened).rejects.toThrow(
      /tensor gpt_neox\.final_layer_norm\.weight is not in .*nearest name there is critic\.final_layer_norm\.weight\)/,
    );
  });

  test('are named as the nearest if they begin like what is missing', async () => {
    const opened = found(GPT2, (model) => {
      renameAll(model, (name) => name.replace('ln_f', 'ln_final'));
    });
    await expect(opened).rejects.toThrow(
      /ln_f\.weight is not in .*nearest name there is \S*ln_final\.weight\)/,
    );
  });
});

test('a tied head that would be in a missing shard is the embedding, which a notice says', async () => {
  const { description, notices } = await found(GPT2, (model) => {
    model.tensors.delete('lm_head.weight');
    const names = [...model.tensors.keys()];
    model.weightFile = 'one.safetensors';
    model.files['model.safetensors.index.json'] = JSON.stringify({
      weight_map: {
        ...Object.fromEntries(names.map((name) => [name, 'one.safetensors'])),
        'lm_head.weight': 'two.safetensors',
      },
    });
  });
  await expectWhole(GPT2, description);
  expect(notices).toEqual([
    expect.stringMatching(
      /two\.safetensors is missing, which may hold lm_head\.weight; \S*wte\.weight is used, to which config\.json ties it$/,
    ),
  ]);
});

test('a whole model with the description of an adapter is run, and a notice says without it', async () => {
  const { description, notices } = await found(GPT2, (model) => {
    model.files['adapter_config.json'] = '{}';
  });
  await expectWhole(GPT2, description);
  expect(notices).toEqual([
    'folder: has an adapter_config.json, too; the whole model is run, and no adapter',
  ]);
});

describe('two heads', () => {
  const withSecond = (name: GoldenCase, second: string, change: (value: number) => number) =>
    found(name, (model) => {
      const own = ['embed_out.weight', 'lm_head.weight'].find((head) => model.tensors.has(head));
      const table = [...model.tensors.keys()].find((tensor) => /wte\.weight$/.test(tensor));
      const head = model.tensors.get(own ?? table!)!;
      if (own === undefined) model.tensors.set('lm_head.weight', head);
      model.tensors.set(second, mapped(head, change));
    });

  test.each([
    [NEOX, 'lm_head.weight', 'embed_out.weight'],
    [NEOX, 'module.embed_out.weight', 'embed_out.weight'],
    [GPT2, 'embed_out.weight', 'lm_head.weight'],
  ] as const)('%s: %s that differs is named, and not used', async (name, second, used) => {
    const differing = await withSecond(name, second, (value) => value + 1);
    expect(differing.description.weights.head!.name).toMatch(
      name === NEOX ? /^embed_out\.weight$/ : /wte\.weight$/,
    );
    expect(differing.notices).toEqual([
      `folder: has two heads that differ, ${used} and ${second}; ${used} is used`,
    ]);
    expect((await withSecond(name, second, (value) => value)).notices).toEqual([]);
  });
});
