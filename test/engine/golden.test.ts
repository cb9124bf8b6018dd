import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { casesHere, openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import { fixtureFiles } from '../support/fixture-files.ts';
import { goldenCases, goldenFiles, readGolden } from '../support/golden.ts';
import { largestDifference, relativeDistance } from '../support/distance.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

// In a browser: each family, each dtype, packed and not, tied and not.
const sample = [
  'gpt2-prefix-f32',
  'gpt2-f16',
  'neox-bf16-sharded',
  'llama-3-gqa-bf16',
  'qwen3-tied',
] as const;

describe.each(casesHere(goldenCases, sample))('%s', (name) => {
  test('states and max log-softmax agree with Hugging Face', async () => {
    const golden = await readGolden(name);
    const description = await describeModel(goldenFiles(name));
    using model = await Model.load(gpu, description);
    const { layers, width, vocabulary } = model.config;
    const ids = golden.sequences.map((sequence) => sequence.ids);
    const tokens = ids[0]!.length;
    const states: Float32Array[] = [];
    const logits = ids.map(() => new Float32Array(tokens * vocabulary).fill(NaN));

    const { maxLogSoftmax, argmax } = await model.run(ids, {
      onState: async ({ name: kind, layer, tensor }) => {
        expect(layer).toBe(kind === 'hidden_states' ? states.length : layers);
        if (kind === 'hidden_states') states.push(await gpu.readFloats(tensor));
      },
      onLogits: ({ firstToken, tokens: columns, values }) => {
        logits.forEach((target, sequence) => {
          for (let row = 0; row < tokens; row++) {
            const start = (sequence * tokens + row) * columns;
            target.set(values.subarray(start, start + columns), row * vocabulary + firstToken);
          }
        });
      },
    });

    expect(states).toHaveLength(layers + 1);
    golden.sequences.forEach((sequence, index) => {
      for (const [layer, state] of states.entries()) {
        const size = tokens * width;
        const actual = state.subarray(index * size, (index + 1) * size);
        const expected = sequence.hiddenStates.subarray(layer * size, (layer + 1) * size);
        const where = `state ${layer}, ${sequence.name}`;
        expect(relativeDistance(actual, expected), where).toBeLessThanOrEqual(1e-6 * (layer + 4));
        expect(largestDifference(actual, expected), where).toBeLessThanOrEqual(1e-4 * largestOf(expected));
      }
      expect(largestDifference(maxLogSoftmax![index]!, sequence.maxLogSoftmax)).toBeLessThanOrEqual(1e-4);
      if (sequence.logits) {
        expect(relativeDistance(logits[index]!, sequence.logits)).toBeLessThanOrEqual(1e-6 * (layers + 4));
        for (let row = 0; row < tokens; row++) {
          const expected = sequence.logits.subarray(row * vocabulary, (row + 1) * vocabulary);
          const best = expected[argmax![index]![row]!]!;
          expect(best).toBeGreaterThanOrEqual(Math.max(...expected) - 1e-4);
        }
      }
    });
    await description.close();
  });
});

test('nothing stays allocated when a model and its run are done', async () => {
  const before = gpu.allocatedBytes;
  const description = await describeModel(fixtureFiles('test/golden/neox-f16'));
  const model = await Model.load(gpu, description);
  await model.run([Int32Array.of(1, 2, 3)]);
  model.dispose();
  expect(gpu.allocatedBytes).toBe(before);
});

function largestOf(values: Float32Array): number {
  return values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
