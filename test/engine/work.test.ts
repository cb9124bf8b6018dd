import { expect, test } from 'vitest';
import { describeModel } from '../../src/engine/description.ts';
import { addWork, joinWork, operationsOf } from '../../src/engine/work.ts';
import { fixtureFiles } from '../support/fixture-files.ts';

/** Two sequences of 10 tokens, six layers of width 128 in 4 heads, 2048 tokens of vocabulary. */
const [B, T, L, D, H, V] = [2, 10, 6, 128, 4, 2048];
const rows = B * T;
const matrices = 12 * D * D;
const biases = 3 * D + D + 4 * D + D;
/** Inputs and outputs of a block's four products; what is added to is read, too. */
const activations = 4 * rows * (D + 3 * D + (D + 2 * D) + (D + 4 * D) + (4 * D + 2 * D));

test.each([
  // The position's embedding is added to the token's; weights are F32.
  ['alice-gpt2', { embed: 4 * rows * D * 2 + 4 * rows * D * 3, weight: 4, rotary: undefined }],
  [
    'alice-pythia',
    {
      embed: 2 * rows * D + 4 * rows * D,
      weight: 2,
      // A quarter of 32 dimensions turns, in query and key; four cosines and sines a position.
      rotary: L * (2 * 4 * T * 4 + 2 * 4 * rows * 2 * H * 8),
    },
  ],
])('%s: operations and least bytes of each kernel', async (name, { embed, weight, rotary }) => {
  const description = await describeModel(fixtureFiles(`weights/${name}`));
  try {
    const work = description.work(B, T);
    // NeoX normalises its residual twice a block, too.
    const norms = 2 * L + 1;
    expect(work).toEqual({
      embed: { operations: 0, bytes: embed },
      'layer-norm': { operations: 0, bytes: norms * 4 * (2 * rows * D + 2 * D) },
      'matrix-product': {
        operations: 2 * rows * (L * matrices + D * V),
        bytes:
          L * (weight * matrices + 4 * biases + activations) + weight * D * V + 4 * rows * D + 4 * rows * V,
      },
      attention: { operations: L * B * 2 * T * (T + 1) * D, bytes: L * 4 * rows * 4 * D },
      'fold-log-softmax': { operations: 0, bytes: 4 * rows * V },
      ...(rotary === undefined ? {} : { rotary: { operations: 0, bytes: rotary } }),
    });
    expect(description.operations(B, T)).toBe(operationsOf(work));
    // Folded, three numbers of each tile stand in the place of its logits.
    const folded = description.work(B, T, 128);
    const spared = 4 * rows * (V - 3 * Math.ceil(V / 128));
    expect(folded['fold-log-softmax']!.bytes).toBe(4 * rows * 3 * Math.ceil(V / 128));
    expect(folded['matrix-product']!.bytes).toBe(work['matrix-product']!.bytes - spared);
    expect(operationsOf(folded)).toBe(operationsOf(work));
  } finally {
    await description.close();
  }
});

test('work adds up by kernel', () => {
  const one = { a: { operations: 1, bytes: 2 } };
  const other = { a: { operations: 3, bytes: 5 }, b: { operations: 7, bytes: 11 } };
  expect(joinWork(one, other)).toEqual({ a: { operations: 4, bytes: 7 }, b: other.b });
  expect(addWork(undefined, one.a)).toEqual(one.a);
  expect(operationsOf(joinWork(one, other))).toBe(11);
});
