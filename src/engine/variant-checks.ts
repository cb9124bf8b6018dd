import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import { unpaced } from './gpu/pace.ts';
import type { VariantCheck } from './gpu/self-test.ts';
import { Tensor } from './gpu/tensor.ts';
import { productOf } from './gpu/tuning.ts';
import {
  attention,
  attentionLanes,
  attentionWide,
  foldLogSoftmax,
  foldLogSoftmaxTiles,
  matrixProduct,
  matrixProductEight,
  matrixProductMatrices,
  matrixProductTiles,
} from './kernels.ts';
import { MaxLogSoftmax } from './log-softmax.ts';
import { recordLinear } from './matrix-product.ts';

/** The kernels of a forward pass that are chosen where Laminar's own tests do not run, each on operands of a few tiles, some of them incomplete. */
export const forwardChecks: readonly VariantCheck[] = [
  {
    name: 'the matrix product over subgroup matrices',
    isUsed: ({ product }) => product === 'matrices',
    onSoftware: true,
    kernels: [matrixProductMatrices, matrixProduct],
    forced: {},
    portable: { product: 'direct' },
    fallback: ({ traits }) => ({ product: productOf(traits) }),
    // A driver that left out the low parts would be off by 1e-4.
    tolerance: 4e-6,
    run: multiply,
  },
  {
    name: 'the matrix product of eight lanes',
    isUsed: ({ product }) => product === 'eight',
    onSoftware: true,
    kernels: [matrixProductEight, matrixProduct],
    forced: {},
    portable: { product: 'direct' },
    run: multiply,
  },
  {
    name: 'the matrix product in tiles of 64 × 64',
    isUsed: ({ product }) => product === 'tiles',
    kernels: [matrixProductTiles, matrixProduct],
    forced: { largeTilesFrom: Infinity },
    portable: { product: 'staged' },
    run: multiply,
  },
  {
    name: 'the matrix product in tiles of 128 × 128',
    isUsed: ({ product, largeTilesFrom }) => product === 'tiles' && Number.isFinite(largeTilesFrom),
    kernels: [matrixProductTiles, matrixProduct],
    forced: { largeTilesFrom: 1 },
    portable: { largeTilesFrom: Infinity },
    run: multiply,
  },
  {
    name: 'attention of eight lanes',
    isUsed: ({ attention }) => attention === 'eight',
    onSoftware: true,
    kernels: [attentionLanes, attention],
    forced: {},
    portable: { attention: 'staged' },
    run: attend,
  },
  {
    name: 'attention of 64 queries at once',
    isUsed: ({ attention }) => attention === 'wide',
    kernels: [attentionWide, attention],
    forced: {},
    portable: { attention: 'staged' },
    run: attend,
  },
  {
    name: 'lm_head folded in the matrix product',
    isUsed: ({ head }) => head === 'folded',
    kernels: [matrixProductTiles, foldLogSoftmaxTiles, matrixProduct, foldLogSoftmax],
    forced: {},
    portable: { head: 'logits' },
    run: fold,
  },
];

/** Numbers between −1 and 1 that are the same on each call. */
function spreadValues(count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, (_, at) => Math.sin(1 + at * 12.9898));
}

/** A weight in either layout, of F32 and of F16. */
async function multiply(gpu: Gpu): Promise<Float32Array> {
  const [rows, inner, columns] = [130, 36, 140];
  using input = gpu.upload('input', [rows, inner], spreadValues(rows * inner));
  using wide = gpu.upload('weight', [inner, columns], spreadValues(inner * columns));
  // Words that are two halves between 0.5 and 2.
  const words = Uint32Array.from(spreadValues((inner * columns) / 2), (value, at) => {
    return 0x38003800 | (((value + 1) * 511) & 0x3ff) | ((at & 0x3ff) << 16);
  });
  using packed = halves(gpu, [columns, inner], words);
  using one = gpu.tensor('product', [rows, columns]);
  using other = gpu.tensor('product', [rows, columns]);
  const recorder = gpu.recorder();
  recordLinear(gpu, unpaced(recorder), input, one, { weight: wide, layout: '[in, out]' }, false);
  recordLinear(gpu, unpaced(recorder), input, other, { weight: packed, layout: '[out, in]' }, false);
  recorder.submit();
  return joined(await gpu.readFloats(one), await gpu.readFloats(other));
}

async function attend(gpu: Gpu): Promise<Float32Array> {
  const [tokens, heads, headWidth] = [70, 2, 64];
  const width = heads * headWidth;
  using pass = new ForwardPass(gpu, 1, tokens, width);
  using source = gpu.upload('attention', [tokens, 3 * width], spreadValues(3 * tokens * width));
  const output = pass.attention(source, 'attended', {
    heads,
    keyValueHeads: heads,
    headWidth,
    headStride: headWidth,
    keyOffset: width,
    valueOffset: 2 * width,
    scale: 0.5,
  });
  pass.submit();
  return new Float32Array(await gpu.readFloats(output));
}

async function fold(gpu: Gpu): Promise<Float32Array> {
  const [rows, width, vocabulary] = [70, 32, 300];
  using states = gpu.upload('states', [rows, width], spreadValues(rows * width));
  using head = gpu.upload('head', [vocabulary, width], spreadValues(vocabulary * width));
  using softmax = new MaxLogSoftmax(gpu, states);
  await softmax.fold(head, 0);
  const { maxLogSoftmax, argmax } = await softmax.read();
  return joined(
    maxLogSoftmax,
    Float32Array.from(argmax, (token) => token / vocabulary),
  );
}

/** An F16 tensor of these words. */
function halves(gpu: Gpu, shape: readonly [number, number], words: Uint32Array): Tensor {
  const buffer = gpu.allocate('weight', words.byteLength);
  gpu.write(buffer, 0, words);
  return new Tensor(gpu, 'weight', shape, 'F16', [{ buffer, firstRow: 0, rows: shape[0] }]);
}

function joined(one: Float32Array, other: Float32Array): Float32Array {
  const both = new Float32Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}
