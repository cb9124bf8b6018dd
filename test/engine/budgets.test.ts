import { expect, test } from 'vitest';
import { readFixture } from '#platform';
import { budgetOf, budgets } from '../../src/engine/budgets.ts';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { describeModel } from '../../src/engine/description.ts';
import { FormatError } from '../../src/engine/errors.ts';
import type { ModelFiles } from '../../src/engine/files.ts';
import { bytesSource, readJson } from '../../src/engine/files.ts';
import { loadTokenizer } from '../../src/engine/tokenizer.ts';
import { createTokenizer } from '../../src/engine/tokenizer/pipeline.ts';
import { readVocabulary } from '../../src/engine/tokenizer/json.ts';
import { folder } from '../support/tokenizer-fixture.ts';

/** A file of any size, which must not be read. */
const huge = (size: number, wanted: string): ModelFiles => ({
  name: 'folder',
  open: (name) =>
    Promise.resolve(
      name === wanted
        ? {
            name: `folder/${name}`,
            size,
            read: () => Promise.reject(new Error('was read')),
            close: () => Promise.resolve(),
          }
        : undefined,
    ),
});

test.each([
  ['config.json', budgets.config],
  ['model.safetensors.index.json', budgets.index],
  ['model.safetensors.index.fp16.json', budgets.index],
  ['tokenizer.json', budgets.tokenizer],
  ['merges.txt', budgets.tokenizer],
  ['tokenizer_config.json', budgets.config],
  ['anything.json', budgets.config],
])('%s has a budget, and is refused by name before it is read', async (name, budget) => {
  expect(budgetOf(name)).toBe(budget);
  const refusal = readJson(huge(budget + 1, name), name);
  await expect(refusal).rejects.toThrow(FormatError);
  await expect(refusal).rejects.toThrow(
    `folder/${name}: has ${budget + 1} bytes, and at most ${budget} are read`,
  );
  await expect(readJson(huge(budget, name), name)).rejects.toThrow('was read');
});

test('a JSON file of more values than are read is refused before it is parsed', async () => {
  const model = (content: string) => ({
    name: 'folder',
    open: () => Promise.resolve(bytesSource('tokenizer.json', new TextEncoder().encode(content))),
  });
  const half = budgets.jsonValues / 2;
  for (const content of [`[${'[],'.repeat(half)}`, `[${'[]'.repeat(2 * half)}`, `{${'"":0,'.repeat(half)}`])
    await expect(readJson(model(content), 'tokenizer.json')).rejects.toThrow(
      'folder/tokenizer.json: holds more than 4194304 values, which is more than Laminar reads; is it the right file?',
    );
  // What stands in strings does not count, nor what escapes a quotation mark.
  const text = JSON.stringify(['[{,:"\\'.repeat(half / 2), '\\'.repeat(3), 1]);
  expect(await readJson(model(text), 'tokenizer.json')).toHaveLength(3);
  await expect(readJson(model(`["${'[,'.repeat(2 * half)}`), 'tokenizer.json')).rejects.toThrow(
    /is not valid JSON/,
  );
});

test('more merges than are read are refused, in either form', async () => {
  const vocabulary = { a: 0, b: 1, ab: 2 };
  const merges = 'a b\n'.repeat(budgets.merges + 2);
  await expect(
    loadTokenizer({
      name: 'folder',
      open: (name) => {
        const text = { 'vocab.json': JSON.stringify(vocabulary), 'merges.txt': merges }[name];
        return Promise.resolve(
          text === undefined ? undefined : bytesSource(name, new TextEncoder().encode(text)),
        );
      },
    }),
  ).rejects.toThrow('merges.txt has 1048578 lines, and at most 1048576 merges are read');
  const model = { type: 'BPE', vocab: vocabulary, merges: new Array<string>(budgets.merges + 1).fill('a b') };
  await expect(createTokenizer({ where: 'tokenizer.json', tokenizer: { model } })).rejects.toThrow(
    'it has 1048577 merges, and at most 1048576 are read',
  );
});

test('a configuration beyond its budget stops a model', async () => {
  await expect(describeModel(huge(250 * 2 ** 20, 'config.json'))).rejects.toThrow(
    /config\.json: has 262144000 bytes/,
  );
});

test('an index of more files than are read is refused before one is opened', async () => {
  const map = Object.fromEntries(
    Array.from({ length: budgets.shards + 1 }, (_, n) => [`t${n}`, `${n}.safetensors`]),
  );
  const files = folder({ 'model.safetensors.index.json': { weight_map: map } });
  await expect(Checkpoint.open(files)).rejects.toThrow(
    /weight_map names 4097 files, and at most 4096 are read/,
  );
});

test('a vocabulary of more tokens than are read is refused', () => {
  // Tokens that are numbers: an object of a million other names takes seconds.
  const vocabulary: Record<number, number> = {};
  for (let id = 0; id <= budgets.vocabulary; id += 1) vocabulary[id] = id;
  expect(() => readVocabulary(vocabulary)).toThrow(/has 1048577 tokens, and at most 1048576 are read/);
});

test('docs/limits.md names every budget', async () => {
  const page = new TextDecoder().decode(await readFixture('docs/limits.md'));
  const { npyHeader, ...others } = budgets;
  expect(page).toContain(`${npyHeader / 2 ** 20} MiB`);
  for (const budget of Object.values(others)) {
    const shown = budget > 2 ** 20 ? `${budget / 2 ** 20} MiB` : budget.toLocaleString('en-US');
    expect(page).toContain(shown);
  }
});
