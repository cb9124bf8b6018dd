import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import { InputError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { Model } from '../../src/engine/model.ts';
import type { RunOptions, RunResult } from '../../src/engine/model.ts';
import { largestDifference } from '../support/distance.ts';
import {
  activationCases,
  activationFiles,
  readActivations,
  sequenceNames,
} from '../support/golden-activations.ts';
import type { ActivationCase } from '../support/golden-activations.ts';
import { goldenFiles } from '../support/golden.ts';
import { limitedGpu, recordRun, streamingLimit } from '../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

async function run(
  name: ActivationCase,
  sequences: readonly Int32Array[],
  options: RunOptions,
  on = gpu,
): Promise<RunResult> {
  const description = await describeModel(activationFiles(name));
  try {
    using model = await Model.load(on, description);
    const atRest = on.allocatedBytes;
    const result = await model.run(sequences, options);
    expect(on.allocatedBytes).toBe(atRest);
    return result;
  } finally {
    await description.close();
  }
}

describe.each(activationCases)('%s', (name) => {
  test('gives the tokens, log-probabilities and losses of each state', async () => {
    const golden = await readActivations(name);
    const result = await run(name, golden.ids, { lens: { top: 5 } });
    const lens = result.lens!;
    const layers = golden.lens.get('a.lens.top5_ids')!.shape[0]!;
    const tokens = golden.ids[0]!.length;
    expect(lens.ids.shape).toEqual([2, layers, tokens, 5]);
    expect(lens.logProbabilities.shape).toEqual([2, layers, tokens, 5]);
    expect(lens.loss.shape).toEqual([2, layers, tokens - 1]);
    for (const [index, sequence] of sequenceNames.entries()) {
      const of = <T extends Int32Array | Float32Array>(values: T) =>
        values.subarray((index * values.length) / 2, ((index + 1) * values.length) / 2);
      const expected = (key: string) => golden.lens.get(`${sequence}.${key}`)!.values;
      expect(of(lens.ids.values)).toEqual(expected('lens.top5_ids'));
      const probabilities = of(lens.logProbabilities.values);
      expect(largestDifference(probabilities, expected('lens.top5_log_probs'))).toBeLessThan(1e-4);
      expect(largestDifference(of(lens.loss.values), expected('lens.loss'))).toBeLessThan(1e-4);
      expect(largestDifference(result.loss![index]!, expected('loss'))).toBeLessThan(1e-4);
      expect(result.loss![index]).toEqual(of(lens.loss.values).slice((layers - 1) * (tokens - 1)));
    }
  });
});

test('streamed weights, little memory and small bindings give the same; one pass suffices where there is room', async () => {
  const name = 'gpt2-plain';
  const { ids } = await readActivations(name);
  const resident = (await run(name, ids, { lens: { top: 3 } })).lens!;
  const memoryLimit = await streamingLimit(gpu, activationFiles(name));
  using roomy = limitedGpu(gpu, { memoryLimit });
  await run(name, ids, { lens: { top: 3 } }, roomy);
  let [enough, refused] = [0, 0];
  for (
    let limit = roomy.peakBytes;
    limit > roomy.peakBytes / 4;
    limit -= Math.ceil(roomy.peakBytes / 100) * 4
  ) {
    using limited = limitedGpu(gpu, { memoryLimit: limit, bindingLimit: limit % 8 === 0 ? 12_288 : 2 ** 27 });
    try {
      const lens = (await run(name, ids, { lens: { top: 3 } }, limited)).lens!;
      expect(lens.ids).toEqual(resident.ids);
      expect(largestDifference(lens.loss.values, resident.loss.values)).toBeLessThan(2e-5);
      enough++;
    } catch (error) {
      expect((error as Error).message).toContain('raise memoryLimit');
      expect(limited.allocatedBytes).toBe(0);
      refused++;
    }
    expect(limited.peakBytes).toBeLessThanOrEqual(limit);
  }
  expect([enough, refused].map((count) => count > 1)).toEqual([true, true]);
});

test('one sequence has no leading axis, one token no loss; all tokens may be listed', async () => {
  const name = 'neox-parallel-odd-heads';
  const { ids } = await readActivations(name);
  const [alone] = ids;
  const { lens, argmax } = await run(name, [alone!], { lens: { top: 101 } });
  const tokens = alone!.length;
  expect(lens!.ids.shape).toEqual([4, tokens, 101]);
  expect(lens!.loss.shape).toEqual([4, tokens - 1]);
  const { ids: listed, logProbabilities } = lens!;
  for (let row = 0; row < 4 * tokens; row++) {
    const order = listed.values.subarray(101 * row, 101 * (row + 1));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, id) => id));
    const logs = [...logProbabilities.values.subarray(101 * row, 101 * (row + 1))];
    expect(logs).toEqual([...logs].sort((a, b) => b - a));
    expect(logs.reduce((sum, log) => sum + Math.exp(log), 0)).toBeCloseTo(1, 4);
    if (row >= 3 * tokens) expect(order[0]).toBe(argmax![0]![row - 3 * tokens]);
  }
  const single = await run(name, [alone!.slice(0, 1)], { lens: { top: 2 }, loss: true });
  expect(single.lens!.loss.shape).toEqual([4, 0]);
  expect(single.loss![0]).toHaveLength(0);
  expect(single.lens!.ids.values.slice(0, 2)).toEqual(Int32Array.of(listed.values[0]!, listed.values[1]!));
});

test('a lens changes no state, and sees what edits make of them', async () => {
  const name = 'gpt2-plain';
  const { ids } = await readActivations(name);
  const description = await describeModel(activationFiles(name));
  using model = await Model.load(gpu, description);
  const plain = await recordRun(model, ids);
  const seen = await recordRun(model, ids, { lens: { top: 5 } });
  expect(seen.hiddenStates).toEqual(plain.hiddenStates);
  expect(seen.maxLogSoftmax).toEqual(plain.maxLogSoftmax);
  expect([plain.lens, plain.loss]).toEqual([null, null]);
  expect(seen.lens!.ids.values.filter((_, at) => at % 5 === 0).slice(-14)).toEqual(seen.argmax![1]);
  const edits = [{ at: 'blocks.1.hook_resid_post', op: 'zero' }] as const;
  const edited = await model.run(ids, { edits, lens: { top: 1 } });
  const [, layers = 0, tokens = 0] = edited.lens!.ids.shape;
  const states = Array.from(
    { length: layers },
    (_, layer) => new Set(edited.lens!.ids.values.subarray(layer * tokens, (layer + 1) * tokens)).size,
  );
  expect(states[2]).toBe(1); // the same everywhere: only the final norm's bias is left
  expect(states[1]).toBeGreaterThan(1);
  await description.close();
});

test('a larger vocabulary passes by in tiles', async () => {
  const description = await describeModel(goldenFiles('gpt2-massive'));
  using model = await Model.load(gpu, description);
  const ids = Int32Array.from({ length: 7 }, (_, index) => 3 * index);
  const { vocabulary } = model.config;
  const top = 9;
  const logits = new Float32Array(7 * vocabulary);
  const whole = await model.run([ids], {
    lens: { top },
    onLogits: ({ firstToken, tokens, values }) => {
      for (let row = 0; row < 7; row++) {
        logits.set(values.subarray(row * tokens, (row + 1) * tokens), row * vocabulary + firstToken);
      }
    },
  });
  // Tiles of few tokens: the head's rows are cut where a binding ends.
  using limited = limitedGpu(gpu, { bindingLimit: 16_384 });
  const small = await describeModel(goldenFiles('gpt2-massive'));
  using other = await Model.load(limited, small);
  const tiled = await other.run([ids], { lens: { top } });
  for (const { lens } of [whole, tiled]) {
    const last = lens!.ids.values.subarray(-7 * top);
    for (let row = 0; row < 7; row++) {
      const of = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
      const best = Array.from(of, (_, token) => token).sort((a, b) => of[b]! - of[a]! || a - b);
      expect([...last.subarray(row * top, (row + 1) * top)]).toEqual(best.slice(0, top));
    }
  }
  await description.close();
  await small.close();
});

test('what a lens cannot show is refused', async () => {
  const { ids } = await readActivations('gpt2-plain');
  for (const top of [0, 1.5, 102]) {
    const refused = run('gpt2-plain', ids, { lens: { top } });
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(`lens.top is ${top}; it must be a whole number from 1 to 101`);
  }
});
