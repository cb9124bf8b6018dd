import { expect, test } from 'vitest';
import { openTestGpu } from '#platform';
import { describeModel } from '../../src/engine/description.ts';
import { forwardKernels } from '../../src/engine/prepare.ts';
import { goldenFiles } from '../support/golden.ts';
import { limitedGpu } from '../support/model-runs.ts';

// Variants of eight lanes take weights as they lie; of the others, each layout is a pipeline.
test.each([
  ['gpt2-f16', [0, 1]],
  ['neox-bf16-sharded', [1]],
  ['smollm-tied', [1]],
] as const)('of %s the products of its layouts are compiled ahead, and no others', async (name, layouts) => {
  using gpu = await openTestGpu();
  using forced = limitedGpu(gpu, { tuning: { product: 'direct', lanes: 0 } });
  const description = await describeModel(goldenFiles(name));
  const products = forwardKernels(forced, description).filter(
    ({ kernel }) => kernel.name === 'matrix-product',
  );
  await description.close();
  expect(products.map(({ constants }) => constants!['transposed']).sort()).toEqual(layouts);
});
