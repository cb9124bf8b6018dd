import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { InputError } from '../../src/engine/errors.ts';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import { LoadedModel } from '../../src/engine/loaded-model.ts';
import type { SequenceActivation } from '../../src/engine/sequence-run.ts';
import { relativeDistance } from '../support/distance.ts';
import { activationFiles, readActivations } from '../support/golden-activations.ts';
import { limitedGpu, streamingLimit } from '../support/model-runs.ts';

const CASE = 'gpt2-plain';
const names = ['blocks.0.attn.hook_q', 'blocks.1.hook_resid_post', 'blocks.1.attn.hook_pattern'];

let gpu: Gpu;
let model: LoadedModel;
/** Sequences of lengths 9, 5, 9, 1 and 5. */
let mixed: Int32Array[];
beforeAll(async () => {
  gpu = await openTestGpu();
  model = await LoadedModel.open(activationFiles(CASE), { gpu });
  const { ids } = await readActivations(CASE);
  const [first, second] = ids as [Int32Array, Int32Array];
  mixed = [first.slice(0, 9), second.slice(0, 5), second.slice(0, 9), first.slice(0, 1), first.slice(3, 8)];
});
afterAll(() => {
  model.dispose();
  gpu.dispose();
});

test('one sequence gives the golden answers under their names', async () => {
  const golden = await readActivations(CASE);
  const [ids] = golden.ids as [Int32Array];
  const run = await model.run(ids, { capture: ['*'], lens: { top: 5 } });
  expect(run.ids).toEqual(ids);
  for (const [name, { shape, values }] of Object.entries(run.activations)) {
    const expected = golden.activations.get(`a.${name}`);
    if (!expected) continue;
    expect(shape, name).toEqual(expected.shape);
    const finite = (numbers: ArrayLike<number>) =>
      Array.from(numbers, (value) => (value === -Infinity ? 0 : value));
    expect(relativeDistance(finite(values), finite(expected.values)), name).toBeLessThan(1e-5);
  }
  const lens = golden.lens.get('a.lens.top5_ids')!;
  expect(run.lens!.ids.shape).toEqual(lens.shape);
  expect(run.loss).toHaveLength(ids.length - 1);
  expect(run.maxLogSoftmax).toHaveLength(ids.length);
  expect([...run.argmax!]).toEqual([
    ...run.lens!.ids.values.filter((_, at) => at % 5 === 0).slice(-ids.length),
  ]);
});

test.each([4096, 8])(
  'unequal lengths come back in order, as if each ran alone (%i tokens at once)',
  async (maxTokens) => {
    using other = await LoadedModel.open(activationFiles(CASE), { gpu, maxTokens });
    const options = { capture: names, lens: { top: 3 } };
    const steps: [number, number][] = [];
    const onProgress = (done: number, total: number) => void steps.push([done, total]);
    const runs = await other.run(mixed, { ...options, onProgress });
    expect(runs).toHaveLength(mixed.length);
    const [done, total] = steps.at(-1)!;
    expect(done).toBe(total);
    for (const [place, ids] of mixed.entries()) {
      const run = runs[place]!;
      const alone = await other.run(ids, options);
      expect(run.ids).toEqual(ids);
      expect(Object.keys(run.activations)).toEqual(Object.keys(alone.activations));
      for (const name of names) {
        expect(run.activations[name]!.shape).toEqual(alone.activations[name]!.shape);
        expect(relativeDistance(run.activations[name]!.values, alone.activations[name]!.values)).toBeLessThan(
          1e-6,
        );
      }
      expect(run.lens!.ids).toEqual(alone.lens!.ids);
      expect(run.lens!.loss.shape).toEqual([alone.lens!.ids.shape[0], ids.length - 1]);
      expect(run.loss!.length).toBe(ids.length - 1);
      expect(run.argmax).toEqual(alone.argmax);
    }
  },
);

test('captures and edits count the sequences that were given', async () => {
  const at = 'blocks.1.hook_resid_post';
  const width = model.config.width;
  const told = new Set<number>();
  const rows = Float32Array.from({ length: 3 * width }, (_, index) => 1 + Math.floor(index / width));
  const runs = await model.run(mixed, {
    capture: ['blocks.*.hook_resid_post', { at, sequences: [4, 0, 2] }],
    edits: [
      { at, op: 'replace', value: rows, sequences: [0, 2, 4], positions: [1] },
      { at: 'blocks.0.hook_resid_post', op: 'apply', apply: (_, part) => void told.add(part.sequence) },
    ],
  });
  expect(runs.map(({ activations }) => at in activations)).toEqual([true, false, true, false, true]);
  expect(runs.every(({ activations }) => 'blocks.0.hook_resid_post' in activations)).toBe(true);
  const second = [0, 2, 4].map((place) => runs[place]!.activations[at]!.values.slice(width, 2 * width));
  expect(second.map((row) => [...new Set(row)])).toEqual([[1], [2], [3]]);
  expect([...told].sort()).toEqual([0, 1, 2, 3, 4]);
});

test('a callback or an iterator takes each activation as it comes, and nothing is kept', async () => {
  const seen: SequenceActivation[] = [];
  const onActivation = (activation: SequenceActivation) => void seen.push(activation);
  const runs = await model.run(mixed, { capture: names, onActivation });
  expect(runs.flatMap(({ activations }) => Object.keys(activations))).toEqual([]);
  const streamed: SequenceActivation[] = [];
  for await (const activation of model.stream(mixed, { capture: names })) streamed.push(activation);
  expect(streamed).toEqual(seen);
  expect(streamed).toHaveLength(names.length * mixed.length);
});

test('leaving the loop ends the run, and errors reach the loop', async () => {
  const atRest = gpu.allocatedBytes;
  for await (const { name } of model.stream(mixed, { capture: ['*'] })) {
    expect(name).toBe('hook_embed');
    break;
  }
  expect(gpu.allocatedBytes).toBe(atRest);
  const none = model.stream(mixed, { capture: ['no.such'] });
  await expect(none.next()).rejects.toThrow('no.such: is not the name of an activation');
  const stopped = model.stream(mixed, { capture: ['*'], signal: AbortSignal.abort(new Error('enough')) });
  await expect(stopped.next()).rejects.toThrow('enough');
});

test('runs may overlap where weights stay, and are refused where they pass through', async () => {
  const [first, second] = await Promise.all([model.run(mixed[0]!), model.run(mixed[1]!)]);
  expect([first.ids, second.ids]).toEqual([mixed[0], mixed[1]]);
  using small = limitedGpu(gpu, { memoryLimit: await streamingLimit(gpu, activationFiles(CASE)) });
  await using streaming = await LoadedModel.open(activationFiles(CASE), { gpu: small, maxTokens: 18 });
  const running = streaming.run(mixed, { capture: names });
  await expect(streaming.run(mixed[0]!)).rejects.toThrow('wait until that run ends');
  expect((await running)[2]!.argmax).toHaveLength(9);
});

test('what cannot be meant is refused before anything runs', async () => {
  await expect(model.run([])).rejects.toThrow('sequence 0 has no tokens');
  await expect(model.run([mixed[0]!, []])).rejects.toThrow('sequence 1 has no tokens');
  await expect(model.run([1.5])).rejects.toThrow('sequence 0: 1.5 is not a token id');
  await expect(model.run([[1], [1_000_000]])).rejects.toThrow(InputError);
  const capture = [{ at: names[0]!, sequences: [5] }];
  await expect(model.run(mixed, { capture })).rejects.toThrow('sequence 5 does not exist; there are 0 to 4');
  await expect(model.run('text')).rejects.toThrow('tokenizer.json');
});

test('disposing frees what was opened, and only that', async () => {
  let own: Gpu | undefined;
  const before = gpu.allocatedBytes;
  const given = await LoadedModel.open(activationFiles(CASE), { gpu });
  expect(gpu.allocatedBytes).toBeGreaterThan(before);
  given.dispose();
  given.dispose();
  expect(gpu.allocatedBytes).toBe(before);
  gpu.check();
  await expect(given.run([1])).rejects.toThrow('was used after dispose()');
  const loads: number[] = [];
  {
    const onProgress = ({ done, total }: { done: number; total: number }) => void loads.push(done / total);
    const open = async () => (own = await openTestGpu());
    await using opened = await LoadedModel.open(activationFiles(CASE), { onProgress }, open);
    expect((await opened.run([1, 2])).argmax).toHaveLength(2);
  }
  expect(loads.at(-1)).toBe(1);
  expect(() => own!.check()).toThrow('after dispose()');
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(LoadedModel.open(activationFiles(CASE), { gpu, signal })).rejects.toThrow('enough');
});
