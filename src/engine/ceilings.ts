import type { Gpu } from './gpu/gpu.ts';
import { unpaced } from './gpu/pace.ts';
import type { Recorder } from './gpu/recorder.ts';
import type { Dtype } from './gpu/tensor.ts';
import { recordLinear } from './matrix-product.ts';
import type { LinearWeights } from './matrix-product.ts';

/** What an adapter can do at best, as measured on it: what a forward pass is to be compared with. */

/** Work is repeated within one submission until that takes so long, so that starting and waiting do not count. */
const LEAST_SECONDS = 0.1;
const MOST_REPEATS = 4096;
const COPY_BYTES = 64 * 2 ** 20;

/** An input F32 [rows, inner] times a weight of inner × columns elements. */
export interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** How the weight is stored. */
  readonly dtype: Dtype;
  readonly layout: LinearWeights['layout'];
}

/** Bytes a second that a copy from buffer to buffer reads and writes, together. */
export async function measureCopy(gpu: Gpu): Promise<number> {
  const bytes = Math.min(COPY_BYTES, 4 * Math.floor(gpu.memoryLimit / 16));
  const source = gpu.allocate('copy source', bytes);
  let target: GPUBuffer | undefined;
  try {
    target = gpu.allocate('copy target', bytes);
    const into = target;
    const seconds = await secondsEach(gpu, (recorder) => recorder.copy(source, 0, into, 0, bytes));
    return (2 * bytes) / seconds;
  } finally {
    gpu.free(source);
    if (target) gpu.free(target);
  }
}

/** Floating-point operations a second of the matrix product alone, at one shape. */
export async function measureProduct(gpu: Gpu, shape: ProductShape): Promise<number> {
  const { rows, inner, columns, dtype, layout } = shape;
  using input = gpu.tensor('input', [rows, inner]);
  using output = gpu.tensor('output', [rows, columns]);
  using weight = gpu.tensor('weight', layout === '[in, out]' ? [inner, columns] : [columns, inner], dtype);
  // Some hardware saves power, and so time, on zeros.
  for (const { parts } of [input, weight]) {
    for (const { buffer } of parts) gpu.write(buffer, 0, randomValues(buffer.size));
  }
  const seconds = await secondsEach(gpu, (recorder) => {
    recordLinear(gpu, unpaced(recorder), input, output, { weight, layout }, false);
  });
  return (2 * rows * inner * columns) / seconds;
}

/** Words that are moderate positive numbers, whichever of F32, F16 and BF16 they are read as. */
function randomValues(bytes: number): Uint32Array {
  let state = 28;
  return new Uint32Array(bytes / 4).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0x38003800 | (state & 0x03ff03ff);
  });
}

/** How long one run takes on the GPU, in seconds: the shorter of two measurements of many in one submission. */
async function secondsEach(gpu: Gpu, record: (recorder: Recorder) => void): Promise<number> {
  const run = async (repeats: number): Promise<number> => {
    const started = performance.now();
    const recorder = gpu.recorder();
    for (let i = 0; i < repeats; i++) record(recorder);
    recorder.submit();
    await gpu.finish();
    return (performance.now() - started) / 1000;
  };
  await run(1); // compiles
  let repeats = 1;
  let seconds = await run(repeats);
  while (seconds < LEAST_SECONDS && repeats < MOST_REPEATS) {
    repeats *= 2;
    seconds = await run(repeats);
  }
  return Math.min(seconds, await run(repeats)) / repeats;
}
