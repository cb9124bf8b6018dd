import { link, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { InputError } from '../../src/engine/errors.ts';
import { checkApart } from '../../src/node/inputs-apart.ts';
import { laminarHere } from './run-here.ts';
import { temporaryFolder } from './temporary-folder.ts';

it('refuses outputs that are inputs, under whatever name, and parts of the model', async () => {
  const folder = await temporaryFolder();
  const model = join(folder, 'model');
  await mkdir(join(model, 'deep'), { recursive: true });
  for (const name of ['config.json', 'weights.safetensors', 'deep/shard.safetensors'])
    await writeFile(join(model, name), '');
  await writeFile(join(folder, 'text'), '');
  await symlink(model, join(folder, 'linked'));
  await symlink(join(folder, 'text'), join(folder, 'soft'));
  await link(join(folder, 'text'), join(folder, 'hard'));
  const inputs = {
    modelFolder: model,
    weights: [join(model, 'weights.safetensors'), join(model, 'deep/shard.safetensors')],
    others: [join(folder, 'text'), undefined, 'https://example.org/text'],
  };
  for (const [name, message] of [
    ['text', /text: is read by this run; give another --out/],
    ['soft', /soft: is .*text, which this run reads; give another --out/],
    ['hard', /hard: is .*text, which this run reads/],
    ['model/config.json', /config\.json: is read by this run/],
    ['linked/deep/shard.safetensors', /is .*model\/deep\/shard\.safetensors, which this run reads/],
    ['linked/vocab.json', /would be taken for a part of the model/],
    ['model/tokenizer.json', /would be taken for a part of the model/],
    ['model/model.safetensors', /would be taken for a part of the model/],
    ['model/states.safetensors', /would be taken for a part of the model/],
  ] as const) {
    const check = checkApart([join(folder, name)], inputs);
    await expect(check).rejects.toThrow(InputError);
    await expect(check).rejects.toThrow(message);
  }
  const harmless = ['new', 'model/report.json', 'deep/states.safetensors', 'model/deep/states.safetensors'];
  await checkApart(
    harmless.map((name) => join(folder, name)),
    inputs,
  );
});

it('is asked by capture and profile before they compute', async () => {
  const cwd = await temporaryFolder();
  const model = join(cwd, 'm');
  await mkdir(model);
  for (const name of ['config.json', 'model.safetensors'])
    await writeFile(
      join(model, name),
      await readFile(new URL(`../golden/gpt2-one-token/${name}`, import.meta.url)),
    );
  await writeFile(join(cwd, 'ids.json'), '[1]');
  await mkdir(join(cwd, 'o'));
  await link(join(cwd, 'ids.json'), join(cwd, 'o', 'profile.csv'));
  for (const [args, message] of [
    ['capture m --ids ids.json --out m/model.safetensors', 'm/model.safetensors: is read by this run'],
    ['capture m --ids ids.json --out ids.json', 'ids.json: is read by this run'],
    ['profile m --ids ids.json --out o', 'o/profile.csv: is ids.json, which this run reads'],
  ] as const) {
    const result = await laminarHere(args.split(' '), { cwd });
    expect([result.code, result.stderr]).toEqual([2, `laminar: ${message}; give another --out\n`]);
  }
  expect((await readFile(join(model, 'model.safetensors'))).length).toBeGreaterThan(1000);
  expect(await readFile(join(cwd, 'ids.json'), 'utf8')).toBe('[1]');
});
