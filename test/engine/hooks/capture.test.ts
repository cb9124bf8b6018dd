import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../../src/engine/description.ts';
import type { ModelDescription } from '../../../src/engine/description.ts';
import { DeviceError, InputError } from '../../../src/engine/errors.ts';
import type { Gpu } from '../../../src/engine/gpu/gpu.ts';
import { PlannedHooks } from '../../../src/engine/hooks.ts';
import type { CapturedActivation, HookRequests } from '../../../src/engine/hooks.ts';
import { Model } from '../../../src/engine/model.ts';
import { relativeDistance } from '../../support/distance.ts';
import { activationFiles, readActivations } from '../../support/golden-activations.ts';
import type { ActivationCase } from '../../support/golden-activations.ts';
import { limitedGpu, streamingLimit } from '../../support/model-runs.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openTestGpu();
});
afterAll(() => {
  gpu.dispose();
});

/** Loads a case, runs `use`, and checks that nothing stays allocated. */
async function withModel<T>(
  name: ActivationCase,
  use: (model: Model, ids: readonly Int32Array[], description: ModelDescription) => Promise<T>,
  on = gpu,
): Promise<T> {
  const { ids } = await readActivations(name);
  const description = await describeModel(activationFiles(name));
  try {
    using model = await Model.load(on, description);
    const atRest = on.allocatedBytes;
    const result = await use(model, ids, description);
    expect(on.allocatedBytes).toBe(atRest);
    return result;
  } finally {
    await description.close();
  }
}

/** The relative distance of what is finite in both. */
function distance(values: Float32Array, expected: Float32Array): number {
  const finite = (numbers: Float32Array) => numbers.map((value) => (value === -Infinity ? 0 : value));
  return relativeDistance(finite(values), finite(expected));
}

/** Of an activation [sequences, rows, heads, width], or [sequences, heads, rows, T] of a pattern, the chosen elements. */
function pick(
  { name, shape, values }: CapturedActivation,
  chosen: { sequences: number[]; positions: number[]; heads: number[] },
): number[] {
  const isPattern = shape.length === 4 && (name.endsWith('pattern') || name.endsWith('scores'));
  const [, first = 0, second = 0, width = 0] = shape.length === 4 ? shape : [shape[0], shape[1], 1, shape[2]];
  const [outer, inner] = isPattern ? [chosen.heads, chosen.positions] : [chosen.positions, chosen.heads];
  return chosen.sequences.flatMap((sequence) =>
    outer.flatMap((i) =>
      inner.flatMap((j) => {
        const start = ((sequence * first + i) * second + j) * width;
        return Array.from(values.subarray(start, start + width));
      }),
    ),
  );
}

describe.each(['gpt2-f16', 'neox-parallel-odd-heads'] as const)('%s', (name) => {
  test('chosen sequences, positions and heads are those of the whole', async () => {
    await withModel(name, async (model, ids) => {
      const chosen = { sequences: [1], positions: [2, 7, 11], heads: [0, 2] };
      const whole = (await model.run(ids, { capture: ['*'] })).activations;
      const at = ['attn.hook_q', 'attn.hook_v', 'attn.hook_z', 'attn.hook_pattern', 'attn.hook_attn_scores'];
      const headed = at.map((hook) => ({ at: `blocks.1.${hook}`, ...chosen }));
      const flat = ['hook_embed', 'blocks.0.hook_mlp_out', 'blocks.1.ln2.hook_scale', 'ln_final.hook_out'];
      const rows = { sequences: chosen.sequences, positions: chosen.positions };
      const capture = [...headed, ...flat.map((hook) => ({ at: hook, ...rows }))];
      const { activations } = await model.run(ids, { capture });
      expect([...activations.keys()].sort()).toEqual([...headed.map((it) => it.at), ...flat].sort());
      for (const [hook, activation] of activations) {
        const all = whole.get(hook)!;
        const heads = all.shape.length === 4 ? chosen.heads : [0];
        expect(Array.from(activation.values), hook).toEqual(pick(all, { ...chosen, heads }));
        const [, ...shape] = activation.shape;
        expect(activation.shape[0]).toBe(1);
        const isPattern = hook.endsWith('pattern') || hook.endsWith('scores');
        const width = all.shape.at(-1)!;
        expect(shape, hook).toEqual(
          isPattern ? [2, 3, width] : all.shape.length === 4 ? [3, 2, width] : [3, width],
        );
      }
    });
  });

  test('one token, and one sequence: no leading axis', async () => {
    await withModel(name, async (model, ids) => {
      const batch = (await model.run(ids, { capture: ['*'] })).activations;
      const alone = (await model.run([ids[0]!], { capture: ['*'] })).activations;
      for (const [hook, { shape, values }] of alone) {
        const both = batch.get(hook)!;
        expect(shape).toEqual(both.shape.slice(1));
        expect(values, hook).toEqual(both.values.slice(0, values.length));
      }
      const single = (await model.run([ids[0]!.slice(0, 1)], { capture: ['*'] })).activations;
      const pattern = single.get('blocks.0.attn.hook_pattern')!;
      expect(pattern.shape).toEqual([model.config.heads, 1, 1]);
      expect(Array.from(pattern.values)).toEqual(Array.from(pattern.values, () => 1));
      expect(single.get('blocks.1.hook_resid_post')!.values).toEqual(
        alone.get('blocks.1.hook_resid_post')!.values.slice(0, model.config.width),
      );
    });
  });

  test('small bindings, little memory and streamed weights give the same values', async () => {
    const all = await withModel(
      name,
      async (model, ids) => (await model.run(ids, { capture: ['*'] })).activations,
    );
    const memoryLimit = await streamingLimit(gpu, activationFiles(name));
    for (const options of [
      { bindingLimit: 12_288 },
      { memoryLimit },
      { memoryLimit, bindingLimit: 12_288 },
    ]) {
      using limited = limitedGpu(gpu, options);
      await withModel(
        name,
        async (model, ids) => {
          expect(model.isResident).toBe(options.memoryLimit === undefined);
          const { activations } = await model.run(ids, { capture: ['*'] });
          expect([...activations.keys()]).toEqual([...all.keys()]);
          for (const [hook, { shape, values }] of activations) {
            expect(shape).toEqual(all.get(hook)!.shape);
            // A weight that is split into several adds up in another order.
            if (options.bindingLimit === undefined) expect(values, hook).toEqual(all.get(hook)!.values);
            else expect(distance(values, all.get(hook)!.values), hook).toBeLessThan(1e-6);
          }
        },
        limited,
      );
      expect(limited.peakBytes).toBeLessThanOrEqual(limited.memoryLimit);
    }
  });

  test('each limit on memory suffices, and is kept, or is refused by name', async () => {
    const capture = ['*'];
    const { ids } = await readActivations(name);
    using generous = limitedGpu(gpu, {});
    const all = await withModel(
      name,
      async (model) => (await model.run(ids, { capture })).activations,
      generous,
    );
    const outcomes = { enough: 0, refused: 0 };
    for (let limit = generous.peakBytes; limit > 0; limit -= 4 * Math.ceil(generous.peakBytes / 52)) {
      using limited = limitedGpu(gpu, { memoryLimit: limit });
      try {
        await withModel(
          name,
          async (model) => {
            const { activations } = await model.run(ids, { capture });
            for (const [hook, { values }] of activations) expect(values).toEqual(all.get(hook)!.values);
          },
          limited,
        );
        expect(outcomes.refused).toBe(0);
        outcomes.enough++;
      } catch (error) {
        if (!(error instanceof DeviceError)) throw error;
        expect(error.message).toContain('raise memoryLimit');
        outcomes.refused++;
      }
      expect(limited.peakBytes).toBeLessThanOrEqual(limit);
      expect(limited.allocatedBytes).toBe(0);
    }
    expect(outcomes.enough).toBeGreaterThan(2);
    expect(outcomes.refused).toBeGreaterThan(2);
  });
});

test('a callback receives each layer in the order of the pass, and nothing is kept', async () => {
  await withModel('gpt2-plain', async (model, ids) => {
    const order: string[] = [];
    const { activations } = await model.run(ids, {
      capture: ['blocks.*.hook_mlp_out', 'hook_embed', 'ln_final.hook_out'],
      onActivation: async ({ name }) => {
        await Promise.resolve();
        order.push(name);
      },
    });
    expect(activations.size).toBe(0);
    expect(order).toEqual([
      'hook_embed',
      ...[0, 1, 2].map((layer) => `blocks.${layer}.hook_mlp_out`),
      'ln_final.hook_out',
    ]);
  });
});

test('of two requests for one name the later counts', async () => {
  await withModel('gpt2-plain', async (model, ids) => {
    const pattern = 'blocks.2.attn.hook_pattern';
    const { activations } = await model.run(ids, {
      capture: ['blocks.*.attn.hook_pattern', { at: pattern, heads: [2], positions: [13], sequences: [0] }],
    });
    expect([...activations.values()].map(({ shape }) => shape)).toEqual([
      [2, 3, 14, 14],
      [2, 3, 14, 14],
      [1, 1, 1, 14],
    ]);
  });
});

test('an abort and a callback that fails free everything, and the model goes on', async () => {
  const reason = new Error('the user has seen enough');
  for (const name of ['gpt2-plain', 'neox-sequential-bf16-sharded'] as const) {
    await withModel(name, async (model, ids) => {
      const atRest = gpu.allocatedBytes;
      const capture = ['*'];
      const expected = (await model.run(ids, { capture })).activations;
      for (const stop of [1, 3, 20]) {
        let seen = 0;
        const failing = model.run(ids, {
          capture,
          onActivation: () => (++seen === stop ? Promise.reject(reason) : undefined),
        });
        await expect(failing).rejects.toBe(reason);
        expect(gpu.allocatedBytes).toBe(atRest);
        const controller = new AbortController();
        const aborted = model.run(ids, {
          capture,
          signal: controller.signal,
          onActivation: () => {
            if (seen++ === 2 * stop) controller.abort(reason);
          },
        });
        await expect(aborted).rejects.toBe(reason);
        expect(gpu.allocatedBytes).toBe(atRest);
      }
      expect((await model.run(ids, { capture })).activations).toEqual(expected);
    });
  }
});

describe('what cannot be captured is refused with names that are near', () => {
  test.each<[HookRequests['capture'], RegExp]>([
    [['blocks.*.hook_mlp_outt'], /^blocks\.\*\.hook_mlp_outt: .* near it .*blocks\.\*\.hook_mlp_out/],
    [['blocks.0.attn.hook_query'], /near it .*blocks\.\*\.attn\.hook_/],
    [['blocks.7.hook_mlp_out'], /^blocks\.7\.hook_mlp_out: .* blocks are 0 to 2$/],
    [['resid_post'], /near it .*blocks\.\*\.hook_resid_post/],
    [['blocks.0.attn.hook_rot_q'], /near it .*attn\.hook_q/],
    [[{ at: 'blocks.0.hook_mlp_out', heads: [0] }], /has no heads/],
    [[{ at: '*.hook_mlp_out', heads: [0] }], /has no heads/],
    [[{ at: 'blocks.0.attn.hook_z', heads: [3] }], /head 3 does not exist; there are 0 to 2/],
    [[{ at: 'blocks.0.attn.hook_z', positions: [-1] }], /position -1 does not exist; there are 0 to 13/],
    [[{ at: 'blocks.0.attn.hook_z', sequences: [2] }], /sequence 2 does not exist; there are 0 to 1/],
    [[{ at: 'hook_embed', positions: [] }], /no position is chosen/],
  ])('%j', async (capture, message) => {
    await withModel('gpt2-plain', async (model, ids) => {
      const run = model.run(ids, { capture });
      await expect(run).rejects.toThrow(InputError);
      await expect(run).rejects.toThrow(message);
    });
  });
});

test('a plan counts what captures take, and a run keeps to it', async () => {
  const name = 'gpt2-plain';
  for (const capture of [['*'], ['blocks.*.hook_mlp_out'], ['blocks.1.attn.hook_pattern']]) {
    using own = limitedGpu(gpu, {});
    await withModel(
      name,
      async (model, ids, description) => {
        const [sequences, tokens] = [ids.length, ids[0]!.length];
        const hooks = new PlannedHooks(description.hooks(tokens), { capture }, { sequences, tokens });
        const planned = description.activationBytes(sequences, tokens, hooks);
        expect(planned).toBeGreaterThan(description.activationBytes(sequences, tokens));
        const atRest = own.allocatedBytes;
        await model.run(ids, { capture });
        expect(own.peakBytes - atRest).toBeLessThanOrEqual(planned);
      },
      own,
    );
  }
});
