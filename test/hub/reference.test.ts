import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/engine/errors.ts';
import { parseHubReference } from '../../src/hub/reference.ts';

const COMMIT = 'c0ffee00'.repeat(5);
const hub = 'https://huggingface.co';

describe('a model is understood as', () => {
  test.each([
    ['gpt2', 'gpt2', undefined],
    ['EleutherAI/pythia-70m', 'EleutherAI/pythia-70m', undefined],
    [' EleutherAI/pythia-70m\n', 'EleutherAI/pythia-70m', undefined],
    ['EleutherAI/pythia-70m@step1000', 'EleutherAI/pythia-70m', 'step1000'],
    ['gpt2@refs/pr/4', 'gpt2', 'refs/pr/4'],
    ['hf:gpt2', 'gpt2', undefined],
    ['hf://EleutherAI/pythia-70m@step1', 'EleutherAI/pythia-70m', 'step1'],
    [`${hub}/gpt2`, 'gpt2', undefined],
    [`${hub}/EleutherAI/pythia-70m/`, 'EleutherAI/pythia-70m', undefined],
    [`${hub}/EleutherAI/pythia-70m?library=transformers#use`, 'EleutherAI/pythia-70m', undefined],
    [`${hub}/EleutherAI/pythia-70m/tree/main`, 'EleutherAI/pythia-70m', 'main'],
    [`${hub}/gpt2/tree/refs%2Fpr%2F4`, 'gpt2', 'refs/pr/4'],
    [`${hub}/gpt2/tree/refs/pr/4/onnx`, 'gpt2', 'refs/pr/4'],
    [`${hub}/EleutherAI/pythia-70m/blob/main/config.json`, 'EleutherAI/pythia-70m', 'main'],
    [`${hub}/a/b/resolve/${COMMIT}/model.safetensors?download=true`, 'a/b', COMMIT],
    [`${hub}/a/b/commit/${COMMIT}`, 'a/b', COMMIT],
    [`${hub}/a/b/discussions/7`, 'a/b', undefined],
    [`${hub}/api/models/a/b/revision/v1`, 'a/b', 'v1'],
    [`${hub}/a/b.git`, 'a/b', undefined],
    ['git@hf.co:a/b', 'a/b', undefined],
    ['https://hf.co/a/b', 'a/b', undefined],
    ['http://www.huggingface.co/a/b', 'a/b', undefined],
    ['hf.co/a/b/tree/v2', 'a/b', 'v2'],
    ['huggingface.co/gpt2', 'gpt2', undefined],
    ['https://mirror.example:8080/hf/a/b/tree/v2', 'a/b', 'v2'],
  ])('%s', (text, id, revision) => {
    expect(parseHubReference(text, 'https://mirror.example:8080/hf')).toEqual({ id, revision });
  });

  test.each(['', './gpt2', '../x', 'a/b/c', 'a/', '/a', 'C:\\gpt2', 'a b', 'models/a/b'])(
    'nothing: %j',
    (text) => {
      expect(parseHubReference(text)).toBeUndefined();
    },
  );
});

test.each([
  [`${hub}/datasets/allenai/c4`, /is a data set of the hub; name a model/],
  ['datasets/allenai/c4', /is a data set of the hub/],
  ['hf:spaces/a/b', /is a space of the hub/],
  [hub, /does not name a model of the hub/],
  ['hf:', /does not name a model/],
  [`${hub}/models?search=gpt2`, /is the hub's list of models/],
  ['https://github.com/openai/gpt-2', /github\.com is not the hub/],
])('%s is refused by name', (text, message) => {
  expect(() => parseHubReference(text)).toThrow(InputError);
  expect(() => parseHubReference(text)).toThrow(message);
});
