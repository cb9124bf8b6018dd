import { expect, test } from 'vitest';
import { readFixture } from '#platform';
import { budgetOf, budgets } from '../../src/engine/budgets.ts';
import { describeModel } from '../../src/engine/description.ts';
import { FormatError } from '../../src/engine/errors.ts';
import type { ModelFiles } from '../../src/engine/files.ts';
import { readJson } from '../../src/engine/files.ts';

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

test('docs/limits.md names every budget', async () => {
  const page = new TextDecoder().decode(await readFixture('docs/limits.md'));
  for (const budget of Object.values(budgets)) {
    const shown = budget % 2 ** 20 === 0 ? `${budget / 2 ** 20} MiB` : budget.toLocaleString('en-US');
    expect(page).toContain(shown);
  }
});
