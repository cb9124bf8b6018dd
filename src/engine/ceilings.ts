import { copyGroups, multiplyAdd, OPERATIONS_PER_STEP } from './ceilings/kernels.ts';
import { secondsEach } from './ceilings/seconds-each.ts';
import type { Gpu } from './gpu/gpu.ts';
import { unpaced } from './gpu/pace.ts';
import type { Dtype } from './gpu/tensor.ts';
import { recordLinear } from './matrix-product.ts';
import type { LinearWeights } from './matrix-product.ts';

/**
 * The highest rates of an adapter, as measured on it, to compare kernels with. Two ceilings belong to the adapter alone
 * (multiply-add on registers, copies of memory). Products show how near this engine comes to the first.
 */

/** Larger than caches: 256 MiB on hardware, whose last level may hold 96; the CPU's caches are smaller. */
const COPY_BYTES = { software: 64 * 2 ** 20, hardware: 256 * 2 ** 20 } as const;
/** Threads of a copy: enough to keep each kind of adapter busy. */
const COPY_WORKGROUPS = { software: 256, hardware: 16_384 } as const;
const COPY_THREADS = 64;

/** Workgroups and steps of a multiply-add: about 3e7 operations on software, 3e10 on hardware. */
const MULTIPLY_ADD = {
  software: { workgroups: 64, threads: 64, steps: 16 },
  hardware: { workgroups: 4096, threads: 256, steps: 64 },
} as const;

/** An input F32 [rows, inner] times a weight of inner × columns elements. */
export interface ProductShape {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** How the weight is stored. */
  readonly dtype: Dtype;
  readonly layout: LinearWeights['layout'];
}

/** Bytes a second that copies read and write, together: the queue's own from buffer to buffer, and a kernel's. */
export async function measureCopy(gpu: Gpu): Promise<{ command: number; kernel: number }> {
  const kind = gpu.adapter.software ? 'software' : 'hardware';
  const bound = Math.min(COPY_BYTES[kind], gpu.memoryLimit / 4, gpu.bindingLimit);
  const bytes = 16 * Math.floor(bound / 16);
  const source = gpu.allocate('copy source', bytes);
  let target: GPUBuffer | undefined;
  try {
    target = gpu.allocate('copy target', bytes);
    const destination = target;
    const command = await secondsEach(gpu, (recorder) => recorder.copy(source, 0, destination, 0, bytes));
    const workgroups = COPY_WORKGROUPS[kind];
    const kernel = await secondsEach(gpu, (recorder) =>
      recorder.dispatch(copyGroups, {
        bindings: { source, destination },
        uniforms: { elements: bytes / 16, stride: workgroups * COPY_THREADS },
        workgroups: [workgroups],
      }),
    );
    return { command: (2 * bytes) / command, kernel: (2 * bytes) / kernel };
  } finally {
    gpu.free(source);
    if (target) gpu.free(target);
  }
}

/**
 * Floating-point operations per second of multiply-add in float32 on registers alone, which no kernel exceeds.
 * @param fused with the built-in fma, or as a product and a sum that the driver's compiler may make one of
 */
export async function measureMultiplyAdd(gpu: Gpu, fused: boolean): Promise<number> {
  const { workgroups, threads, steps } = MULTIPLY_ADD[gpu.adapter.software ? 'software' : 'hardware'];
  using output = gpu.tensor('multiply-add', [workgroups * threads]);
  const seconds = await secondsEach(gpu, (recorder) =>
    recorder.dispatch(multiplyAdd, {
      bindings: { output: output.buffer },
      // a ← 0.75 a + 0.25 tends to 1 from every start.
      uniforms: { steps, factor: 0.75, term: 0.25 },
      constants: { threads, fused: Number(fused) },
      workgroups: [workgroups],
    }),
  );
  return (workgroups * threads * steps * OPERATIONS_PER_STEP) / seconds;
}

/** Floating-point operations per second of the matrix product alone, at one shape. */
export async function measureProduct(gpu: Gpu, shape: ProductShape): Promise<number> {
  const { rows, inner, columns, dtype, layout } = shape;
  using input = gpu.tensor('input', [rows, inner]);
  using output = gpu.tensor('output', [rows, columns]);
  using weight = gpu.tensor('weight', layout === '[in, out]' ? [inner, columns] : [columns, inner], dtype);
  // Some hardware saves power, and so time, on zeros.
  for (const { parts } of [input, weight]) {
    for (const { buffer } of parts) gpu.write(buffer, 0, randomWords(buffer.size));
  }
  const seconds = await secondsEach(gpu, (recorder) => {
    recordLinear(gpu, unpaced(recorder), input, output, { weight, layout }, false);
  });
  return (2 * rows * inner * columns) / seconds;
}

/** Words that are moderate positive numbers, whichever of F32, F16 and BF16 they are read as. */
function randomWords(bytes: number): Uint32Array {
  let state = 28;
  return new Uint32Array(bytes / 4).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0x38003800 | (state & 0x03ff03ff);
  });
}
