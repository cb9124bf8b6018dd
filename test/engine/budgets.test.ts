import { expect, test } from 'vitest';
import { readFixture } from '#platform';
import { budgetOf, budgets } from '../../src/engine/budgets.ts';
import { Checkpoint } from '../../src/engine/checkpoint.ts';
import { describeModel } from '../../src/engine/description.ts';
import { FormatError } from '../../src/engine/errors.ts';
import type { ModelFiles } from '../../src/engine/files.ts';
import { readJson } from '../../src/engine/files.ts';
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
  const vocabulary = Object.fromEntries(
    Array.from({ length: budgets.vocabulary + 1 }, (_, id) => [`t${id}`, id]),
  );
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
