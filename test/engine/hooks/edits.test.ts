import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../../src/engine/description.ts';
import { InputError } from '../../../src/engine/errors.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import type { Edit, EditedPart } from '../../../src/engine/hooks.ts';
import { Model } from '../../../src/engine/model.ts';
import type { RunOptions } from '../../../src/engine/model.ts';
import { relativeDistance } from '../../support/distance.ts';
import {
  activationCases,
  activationFiles,
  ofSequence,
  readActivations,
  sequenceNames,
} from '../../support/golden-activations.ts';
import type { ActivationCase, GoldenActivations, GoldenEdit } from '../../support/golden-activations.ts';
import { limitedGpu } from '../../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(async () => {
  for (const loaded of models.values()) (await loaded)[Symbol.dispose]();
  gpu.dispose();
});

/** The models that are loaded, each once. */
const models = new Map<string, Promise<Model>>();

async function load(name: ActivationCase, on: Gpu): Promise<Model> {
  const description = await describeModel(activationFiles(name));
  try {
    return await Model.load(on, description);
  } finally {
    await description.close();
  }
}

async function withModel<T>(
  name: ActivationCase,
  use: (model: Model, ids: readonly Int32Array[], golden: GoldenActivations) => Promise<T>,
): Promise<T> {
  let loading = models.get(name);
  if (!loading) models.set(name, (loading = load(name, gpu)));
  const model = await loading;
  const golden = await readActivations(name);
  const atRest = gpu.allocatedBytes;
  const result = await use(model, golden.ids, golden);
  expect(gpu.allocatedBytes).toBe(atRest);
  return result;
}

/** A golden edit in Laminar's words: one for each sequence where the values differ. */
function editsOf(edit: GoldenEdit, golden: GoldenActivations): Edit[] {
  if (edit.edits) {
    return edit.edits.flatMap((name) =>
      editsOf(
        golden.edits.find((other) => other.name === name)!,
        golden,
      ),
    );
  }
  const at = edit.hook!;
  const part = {
    at,
    ...(Array.isArray(edit.positions) && { positions: edit.positions as number[] }),
    ...(edit.row !== undefined && { positions: [edit.row] }),
    ...(edit.head !== undefined && { heads: [edit.head] }),
  };
  if (edit.op === 'zero' || edit.op === 'uniform') return [{ ...part, op: edit.op }];
  return sequenceNames.map((sequence, index): Edit => {
    const value = golden.edited.get(edit.value!.replace('SEQ', sequence))!.values;
    return { ...part, op: edit.op!, value, sequences: [index] } as Edit;
  });
}

/** Runs with every logit kept: [B·T, V]. */
async function runWithLogits(model: Model, ids: readonly Int32Array[], options: RunOptions = {}) {
  const { vocabulary } = model.config;
  const rows = ids.length * ids[0]!.length;
  const logits = new Float32Array(rows * vocabulary);
  const run = await model.run(ids, {
    ...options,
    onLogits: ({ firstToken, tokens, values }) => {
      for (let row = 0; row < rows; row++) {
        logits.set(values.subarray(row * tokens, (row + 1) * tokens), row * vocabulary + firstToken);
      }
    },
  });
  return { ...run, logits };
}

describe.each(activationCases)('%s', (name) => {
  test.each(['zero-head', 'patch-resid', 'add-vector', 'uniform-row', 'both'])(
    '%s gives what transformers gives',
    async (editName) => {
      await withModel(name, async (model, ids, golden) => {
        const edits = editsOf(
          golden.edits.find((edit) => edit.name === editName)!,
          golden,
        );
        const { activations, logits } = await runWithLogits(model, ids, {
          edits,
          capture: ['blocks.*.hook_resid_post'],
        });
        const { layers, vocabulary } = model.config;
        const size = ids[0]!.length * vocabulary;
        for (const [index, sequence] of sequenceNames.entries()) {
          const expected = golden.edited.get(`${sequence}.${editName}.logits`)!.values;
          const found = logits.subarray(index * size, (index + 1) * size);
          expect(relativeDistance(found, expected)).toBeLessThanOrEqual(1e-6 * (layers + 4));
          let compared = 0;
          for (const [hook, activation] of activations) {
            const state = golden.edited.get(`${sequence}.${editName}.${hook}`);
            if (!state) continue;
            compared++;
            const { values } = ofSequence(activation, index);
            expect(relativeDistance(values, state.values), hook).toBeLessThanOrEqual(1e-6 * (layers + 4));
          }
          expect(compared).toBeGreaterThan(0);
        }
      });
    },
  );

  test('what an edit comes after, and whom it does not reach, stays as it is bit for bit', async () => {
    await withModel(name, async (model, ids, golden) => {
      const clean = await runWithLogits(model, ids, { capture: ['*'] });
      const patch = editsOf(
        golden.edits.find((edit) => edit.name === 'patch-resid')!,
        golden,
      );
      const patched = await runWithLogits(model, ids, { edits: patch, capture: ['*'] });
      const { vocabulary } = model.config;
      for (const start of [0, ids[0]!.length]) {
        const before = (logits: Float32Array) =>
          logits.subarray(start * vocabulary, (start + 5) * vocabulary);
        expect(before(patched.logits)).toEqual(before(clean.logits));
      }
      const names = [...clean.activations.keys()];
      const at = names.indexOf('blocks.0.hook_resid_post');
      for (const hook of names.slice(0, at)) {
        expect(patched.activations.get(hook)).toEqual(clean.activations.get(hook));
      }
      for (const hook of names.slice(at, at + 2)) {
        expect(patched.activations.get(hook)).not.toEqual(clean.activations.get(hook));
      }

      // One head of one sequence, at its pattern: nothing of the other sequence or the other heads.
      const uniform: Edit = {
        at: 'blocks.0.attn.hook_pattern',
        op: 'uniform',
        sequences: [1],
        heads: [1],
        positions: [3, 6],
      };
      const run = (await model.run(ids, { edits: [uniform], capture: ['*'] })).activations;
      expect(ofSequence(run.get('ln_final.hook_out')!, 0)).toEqual(
        ofSequence(clean.activations.get('ln_final.hook_out')!, 0),
      );
      const attended = ofSequence(run.get('blocks.0.attn.hook_z')!, 1);
      const unedited = ofSequence(clean.activations.get('blocks.0.attn.hook_z')!, 1).values;
      const [, heads = 0, width = 0] = attended.shape;
      attended.values.forEach((value, index) => {
        const [position, head] = [Math.floor(index / (heads * width)), Math.floor(index / width) % heads];
        const isEdited = head === 1 && (position === 3 || position === 6);
        if (!isEdited) expect(value).toBe(unedited[index]);
      });
      const pattern = ofSequence(run.get('blocks.0.attn.hook_pattern')!, 1);
      const tokens = ids[0]!.length;
      expect(Array.from(pattern.values.subarray((tokens + 3) * tokens, (tokens + 3) * tokens + 5))).toEqual([
        0.25, 0.25, 0.25, 0.25, 0,
      ]);
    });
  });

  test('replacing every activation by its own values changes nothing but rounding', async () => {
    await withModel(name, async (model, ids) => {
      const clean = (await model.run(ids, { capture: ['*'] })).activations;
      const final = clean.get('ln_final.hook_out')!.values;
      const isLast = (at: string) => at.startsWith('ln_final');
      const edits = [...clean.values()]
        .filter(({ name: at }) => !isLast(at))
        .map(({ name: at, values }): Edit => ({ at, op: 'replace', value: values }));
      const replaced = (await model.run(ids, { edits, capture: ['*'] })).activations;
      for (const [at, { values }] of replaced) {
        if (!isLast(at)) expect(values, at).toEqual(clean.get(at)!.values);
      }
      expect(replaced.get('ln_final.hook_out')!.values).toEqual(final);
      // Taken apart and put together again, a norm and an attention give what they give in one.
      const apart = [...clean.values()]
        .filter(({ name: at }) => /hook_(scale|normalized|pattern)$/.test(at))
        .map(({ name: at, values }): Edit => ({ at, op: 'replace', value: values }));
      const { activations } = await model.run(ids, { edits: apart, capture: ['ln_final.hook_out'] });
      expect(relativeDistance(activations.get('ln_final.hook_out')!.values, final)).toBeLessThan(2e-6);
    });
  });
});

test.each(['gpt2-plain', 'neox-parallel-odd-heads', 'qwen3-tied'] as const)(
  '%s: a change of any activation reaches the end',
  async (name) => {
    await withModel(name, async (model, ids) => {
      const clean = (await model.run(ids, { capture: ['*'] })).activations;
      const final = clean.get('ln_final.hook_out')!.values;
      for (const { name: at, shape, values } of clean.values()) {
        if (/^blocks\.[02]/.test(at)) continue;
        const width = shape.at(-1)!;
        const value = Float32Array.from({ length: width }, (_, index) => 1.5 + Math.sin(index));
        const edits: Edit[] = [{ at, op: 'scale', value }];
        const { activations } = await model.run(ids, { edits, capture: [at, 'ln_final.hook_out'] });
        const scaled = values.map((before, index) => before * value[index % width]!);
        expect(activations.get(at)!.values, at).toEqual(scaled);
        expect(relativeDistance(activations.get('ln_final.hook_out')!.values, final), at).toBeGreaterThan(
          1e-4,
        );
      }
    });
  },
);

// Families differ in where heads lie.
describe.each([
  [
    'gpt2-plain',
    [
      'blocks.1.hook_mlp_out',
      'blocks.1.attn.hook_k',
      'blocks.0.ln2.hook_scale',
      'blocks.1.attn.hook_pattern',
    ],
  ],
  ['neox-parallel-odd-heads', ['blocks.1.attn.hook_k']],
] as const)('values, %s', (name, hooks) => {
  test.each(hooks)('of %s may leave out leading axes, and a function says the same', async (at) => {
    await withModel(name, async (model, ids) => {
      const hasHeads = at.includes('attn');
      const choice = { sequences: [1], positions: [2, 9, 10], ...(hasHeads && { heads: [0, 2] }) };
      const clean = (await model.run(ids, { capture: [{ at, ...choice }] })).activations.get(at)!;
      const capture = [{ at, ...choice }, 'ln_final.hook_out'];
      // All numbers of the part, then fewer: the axes that are left out repeat them.
      for (let axes = clean.shape.length; axes >= 0; axes--) {
        const length = clean.shape.slice(clean.shape.length - axes).reduce((a, b) => a * b, 1);
        const value = Float32Array.from({ length }, (_, index) => Math.sin(1 + index));
        const expected = clean.values.map((before, index) => Math.fround(before + value[index % length]!));
        const data = await model.run(ids, { edits: [{ at, ...choice, op: 'add', value }], capture });
        expect(data.activations.get(at)!.values).toEqual(expected);
        const parts: EditedPart[] = [];
        const apply: Edit = {
          at,
          ...choice,
          op: 'apply',
          apply: async (values, part) => {
            await Promise.resolve();
            parts.push(part);
            return values.map((before, index) => before + value[index % length]!);
          },
        };
        const called = await model.run(ids, { edits: [apply], capture });
        expect(called.activations).toEqual(data.activations);
        expect(parts).toEqual([
          {
            name: at,
            shape: clean.shape.slice(1),
            sequence: 1,
            positions: choice.positions,
            heads: hasHeads ? [0, 2] : [],
          },
        ]);
      }
    });
  });
});

test('a function sees the scores of unseen keys as minus infinity, and what it makes of them counts', async () => {
  await withModel('gpt2-plain', async (model, ids) => {
    const [scores, pattern] = ['blocks.1.attn.hook_attn_scores', 'blocks.1.attn.hook_pattern'];
    const seen = new Set<boolean>();
    const apply = (values: Float32Array<ArrayBuffer>, { positions, shape }: EditedPart) => {
      const tokens = shape.at(-1)!;
      return values.map((value, index) => {
        const position = positions[Math.floor(index / tokens) % positions.length]!;
        seen.add((value === -Infinity) === index % tokens > position);
        return 0;
      });
    };
    const edits: Edit[] = [{ at: scores, op: 'apply', apply, heads: [1, 2], positions: [4, 8] }];
    const capture = [scores, pattern].map((at) => ({ at, heads: [1], positions: [8], sequences: [0] }));
    const { activations } = await model.run(ids, { edits, capture });
    expect([...seen]).toEqual([true]);
    const tokens = ids[0]!.length;
    const row = (unseen: number, value: number) =>
      Array.from({ length: tokens }, (_, key) => (key > 8 ? unseen : Math.fround(value)));
    expect(Array.from(activations.get(scores)!.values)).toEqual(row(-Infinity, 0));
    const weights = Array.from(activations.get(pattern)!.values);
    row(0, 1 / 9).forEach((weight, key) => {
      expect(weights[key]).toBeCloseTo(weight, 6);
    });
  });
});

test('several edits of one name are made in order, in each layer that a wildcard means', async () => {
  await withModel('gpt2-plain', async (model, ids) => {
    const at = 'blocks.*.hook_mlp_out';
    const { activations } = await model.run(ids, {
      edits: [
        { at, op: 'zero' },
        { at, op: 'add', value: 3 },
        { at, op: 'scale', value: 0.5 },
        {
          at,
          op: 'apply',
          apply: (values) => {
            values.forEach((value, index) => (values[index] = value - 1));
          },
        },
      ],
      capture: [at],
    });
    expect(activations.size).toBe(3);
    for (const { values } of activations.values()) expect(new Set(values)).toEqual(new Set([0.5]));
  });
});

test('the states that a run hands over have the edits in them', async () => {
  await withModel('gpt2-plain', async (model, ids) => {
    const states: Float32Array[] = [];
    await model.run(ids, {
      edits: [
        { at: 'blocks.0.hook_resid_pre', op: 'replace', value: 1 },
        { at: 'blocks.1.hook_resid_post', op: 'replace', value: 2 },
        { at: 'ln_final.hook_out', op: 'replace', value: 3 },
      ],
      onState: async ({ name, tensor }) => {
        if (name === 'hidden_states') states.push(new Float32Array(await gpu.readFloats(tensor)));
      },
    });
    const constants = states.map((state) => (new Set(state).size === 1 ? state[0] : undefined));
    expect(constants).toEqual([1, undefined, 2, 3]);
  });
});

test('edits suit small bindings', async () => {
  const name = 'neox-sequential-bf16-sharded';
  const golden = await readActivations(name);
  const edits: Edit[] = [
    ...editsOf(
      golden.edits.find((edit) => edit.name === 'both')!,
      golden,
    ),
    { at: 'blocks.0.attn.hook_pattern', op: 'scale', value: 0.5 },
    { at: 'blocks.0.mlp.hook_pre', op: 'add', value: Float32Array.from({ length: 128 }, (_, i) => i / 64) },
  ];
  const options = { edits, capture: ['blocks.*'] };
  const expected = await withModel(name, (model, ids) => model.run(ids, options));
  using limited = limitedGpu(gpu, { bindingLimit: 13_312 });
  using small = await load(name, limited);
  for (const [hook, { values }] of (await small.run(golden.ids, options)).activations) {
    if (hook.endsWith('scores')) continue; // minus infinity is in them
    expect(relativeDistance(values, expected.activations.get(hook)!.values), hook).toBeLessThan(2e-6);
  }
});

describe('what cannot be edited is refused', () => {
  const at = 'blocks.0.attn.hook_z';
  test.each<[Edit, RegExp]>([
    [{ at: 'blocks.0.hook_mlp_ou', op: 'zero' }, /near it .*hook_mlp_out/],
    [{ at: 'blocks.0.attn.hook_rot_k', op: 'zero' }, /not the name of an activation/],
    [{ at, op: 'uniform' }, /only hook_pattern can be made uniform/],
    [{ at, op: 'add', value: [1, 2, 3] }, /has 3 numbers; it must have 1, 16, 48, 672, 1344/],
    [{ at, op: 'zero', heads: [3] }, /head 3 does not exist/],
    [{ at, op: 'negate' } as unknown as Edit, /op is "negate"; it must be zero/],
    [{ at, op: 'apply', apply: () => new Float32Array(5) }, /returned 5 numbers; it must return 672/],
  ])('%j', async (edit, message) => {
    await withModel('gpt2-plain', async (model, ids) => {
      const atRest = gpu.allocatedBytes;
      const run = model.run(ids, { edits: [edit] });
      await expect(run).rejects.toThrow(InputError);
      await expect(run).rejects.toThrow(message);
      expect(gpu.allocatedBytes).toBe(atRest);
    });
  });

  test('a function that fails ends the run with its own error', async () => {
    const reason = new Error('no such steering vector');
    await withModel('gpt2-plain', async (model, ids) => {
      const atRest = gpu.allocatedBytes;
      const apply = () => Promise.reject(reason);
      await expect(model.run(ids, { edits: [{ at, op: 'apply', apply }], capture: ['*'] })).rejects.toBe(
        reason,
      );
      expect(gpu.allocatedBytes).toBe(atRest);
    });
  });
});
