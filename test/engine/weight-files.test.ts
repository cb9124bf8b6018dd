import { expect, test } from 'vitest';
import { describeModel } from '../../src/engine/description.ts';
import { chooseWeightFiles } from '../../src/engine/weight-files.ts';
import { fixtureFiles } from '../support/fixture-files.ts';

const shards = (stem: string, count: number, ending = '') =>
  Array.from({ length: count }, (_, index) => {
    const number = (value: number) => String(value).padStart(5, '0');
    return `${stem}-${number(index + 1)}-of-${number(count)}${ending}.safetensors`;
  });

test.each([
  [
    ['model.safetensors.index.json', 'model.safetensors', 'a.safetensors'],
    { files: ['model.safetensors'], isGuess: false },
  ],
  [['model.safetensors.index.json', ...shards('model', 2)], { index: 'model.safetensors.index.json' }],
  [
    ['model.safetensors.index.fp16.json', ...shards('model', 2, '.fp16')],
    { index: 'model.safetensors.index.fp16.json' },
  ],
  [['weights.safetensors.index.json', ...shards('weights', 2)], { index: 'weights.safetensors.index.json' }],
  [
    ['model.fp16.safetensors', 'model.bf16.safetensors'],
    { files: ['model.bf16.safetensors'], isGuess: true },
  ],
  [['pytorch_model.safetensors', 'x.safetensors'], { files: ['pytorch_model.safetensors'], isGuess: false }],
  [shards('model', 3).reverse(), { files: shards('model', 3), isGuess: true }],
  [shards('model', 3, '.fp16'), { files: shards('model', 3, '.fp16'), isGuess: true }],
  [
    ['adapter_model.safetensors', 'mine.safetensors', 'README.md'],
    { files: ['mine.safetensors'], isGuess: true },
  ],
  [['adapter_model.safetensors', 'model.bin'], undefined],
  [[], undefined],
  [shards('model', 3).slice(1), shards('model', 3).slice(1)],
  [
    ['b.safetensors', 'a.safetensors'],
    ['a.safetensors', 'b.safetensors'],
  ],
])('of %j', (names, chosen) => {
  expect(chooseWeightFiles(names)).toEqual(chosen);
});

test('shards that no index names are read together, and told of', async () => {
  const folder = fixtureFiles('test/golden/neox-bf16-sharded');
  const names = ['config.json', ...shards('model', 3)];
  const notices: string[] = [];
  const description = await describeModel(
    {
      name: 'folder',
      open: (name) => (names.includes(name) ? folder.open(name) : Promise.resolve(undefined)),
      list: () => Promise.resolve(names),
    },
    { onNotice: (notice) => void notices.push(notice) },
  );
  expect(description.config.layers).toBe(3);
  expect(notices).toEqual([
    `folder: has no model.safetensors; its weights are read from ${shards('model', 3).join(', ')}`,
  ]);
  await description.close();
});

test.each(['adapter_model.safetensors', 'adapter_model.bin'])(
  'a folder with %s alone is an adapter',
  async (name) => {
    const config = fixtureFiles('test/golden/neox-bf16-sharded');
    const files = {
      name: 'folder',
      open: (asked: string) => (asked === 'config.json' ? config.open(asked) : Promise.resolve(undefined)),
      list: () => Promise.resolve(['config.json', name]),
    };
    await expect(describeModel(files)).rejects.toThrow(
      `folder: has only the weights of an adapter (${name}), and Laminar runs whole models; merge the adapter`,
    );
  },
);
