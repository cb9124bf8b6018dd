import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { keepComponents } from '../../../src/analysis/reduction/reduce-matrix.ts';
import { LoadedModel } from '../../../src/engine/loaded-model.ts';
import { relativeDistance } from '../../support/distance.ts';
import { activationFiles, readActivations, sequenceNames } from '../../support/golden-activations.ts';
import { readReductions, reductionCases } from '../../support/golden-reductions.ts';

test.each(reductionCases)('a run of %s whose states are cut goes on as in transformers', async (name) => {
  using gpu = await openTestGpu();
  const { ids } = await readActivations(name);
  const { sequences, tensors } = await readReductions(name);
  using model = await LoadedModel.open(activationFiles(name), { gpu });
  const atRest = gpu.allocatedBytes;
  // All of them are held against a sweep, in reduce-states.test.ts.
  for (const [layer, kept] of [
    [0, 'r1'],
    [1, 'rfull'],
    [2, 'r95'],
  ] as const) {
    const at = `blocks.${layer}.hook_resid_post`;
    const asked = { r1: 1, r95: '95%', rfull: 1000 } as const;
    const cuts: number[] = [];
    const runs = await model.run(ids, {
      capture: [at],
      edits: [
        {
          at,
          ...keepComponents(asked[kept], ({ components }, { sequence }) => (cuts[sequence] = components)),
        },
      ],
      loss: true,
    });
    for (const [index, sequence] of sequenceNames.entries()) {
      const expected = sequences[sequence]!.layers[layer]![kept];
      expect(cuts[index], at).toBe(expected.r);
      const { activations, loss } = runs[index]!;
      const reduced = tensors.get(`${sequence}.layer${layer}.${kept}.reduced`)!;
      expect(relativeDistance(activations[at]!.values, reduced.values)).toBeLessThan(2e-6);
      const mean = loss!.reduce((sum, value) => sum + value, 0) / loss!.length;
      expect(Math.abs(mean - expected.mean_loss)).toBeLessThan(1e-5 * expected.mean_loss);
    }
  }
  expect(gpu.allocatedBytes).toBe(atRest);
  await expect(
    model.run(ids[0]!, { edits: [{ at: 'blocks.0.attn.hook_pattern', ...keepComponents(1) }] }),
  ).rejects.toThrow('blocks.0.attn.hook_pattern: is not a matrix of tokens by features');
  // All heads' values side by side, of some positions of the second sequence alone.
  const z = 'blocks.1.attn.hook_z';
  const part = { at: z, sequences: [1], positions: [1, 2, 3, 7] };
  const seen: unknown[] = [];
  const edit = {
    ...part,
    ...keepComponents(1, (cut, matrix) => seen.push([cut.components, matrix.sequence])),
  };
  const [clean, changed] = await Promise.all(
    [[], [edit]].map((edits) => model.run(ids, { capture: [z], edits })),
  );
  expect(seen).toEqual([[1, 1]]);
  expect(changed![0]!.activations[z]!.values).toEqual(clean![0]!.activations[z]!.values);
  const width = clean![1]!.activations[z]!.values.length / ids[0]!.length;
  const differing = (row: number) =>
    changed![1]!.activations[z]!.values.subarray(row * width, (row + 1) * width).join() !==
    clean![1]!.activations[z]!.values.subarray(row * width, (row + 1) * width).join();
  expect(Array.from(ids[0]!.keys()).filter(differing)).toEqual([1, 2, 3, 7]);
});
