import { expect, test, vi } from 'vitest';
import { openOwnGpu, openTestGpu } from '#platform';
import { DeviceError } from '../../../src/engine/errors.ts';
import { defineKernel } from '../../../src/engine/gpu/kernel.ts';
import { checkVariants } from '../../../src/engine/gpu/self-test.ts';
import { forwardChecks } from '../../../src/engine/variant-checks.ts';
import { goldenFiles, readGolden } from '../../support/golden.ts';
import { loadAndRecord } from '../../support/model-runs.ts';

const source = (body: string) => `// A kernel of this test.
override factor: u32 = 1u;
struct Shape { value: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> output: array<u32>;
@compute @workgroup_size(1)
fn main() { ${body} }`;
const face = {
  bindings: { output: 'read_write' },
  uniforms: { value: 'u32' },
  constants: ['factor'],
} as const;
const multiply = defineKernel({
  ...face,
  name: 'multiply',
  source: source('output[0] = factor * shape.value;'),
});

test('a kernel that was prepared is not compiled again', async () => {
  using gpu = await openOwnGpu();
  const compile = vi.spyOn(gpu.device, 'createComputePipeline');
  const ahead = vi.spyOn(gpu.device, 'createComputePipelineAsync');
  const request = { kernel: multiply, constants: { factor: 6 } };
  await Promise.all([gpu.kernels.prepare([request, request]), gpu.kernels.prepare([request])]);
  await gpu.kernels.prepare([request]);
  expect(ahead).toHaveBeenCalledTimes(1);
  const output = gpu.allocate('output', 4);
  const recorder = gpu.recorder();
  recorder.dispatch(multiply, {
    bindings: { output },
    uniforms: { value: 7 },
    constants: { factor: 6 },
    workgroups: [1],
  });
  recorder.submit();
  expect(new Uint32Array(await gpu.readBytes(output))).toEqual(Uint32Array.of(42));
  expect(compile).not.toHaveBeenCalled();
});

test('a kernel that the compiler rejects is named, with the line and the reason', async () => {
  using gpu = await openOwnGpu();
  const wrong = defineKernel({ ...face, name: 'wrong', source: source('output[0] = nowhere;') });
  const prepared = gpu.kernels.prepare([{ kernel: wrong }]);
  await expect(prepared).rejects.toThrow(DeviceError);
  await expect(gpu.kernels.prepare([{ kernel: wrong }])).rejects.toThrow(/wrong.*line 7.*nowhere/);
});

test.each(['gpt2-prefix-f32', 'gpt2-f16', 'neox-bf16-sharded'] as const)(
  'loading %s compiles every kernel that a run takes',
  async (name) => {
    // What an adapter's self-tests compile does not count: they are made once, here.
    using other = await openTestGpu();
    await checkVariants(other, forwardChecks);
    using gpu = await openOwnGpu();
    const compile = vi.spyOn(gpu.device, 'createComputePipeline');
    const { ids } = (await readGolden(name)).sequences[0]!;
    await loadAndRecord(gpu, goldenFiles(name), [ids]);
    // The search for NaN looks at the first weights before anything else could be ready.
    const late = compile.mock.calls.map(([{ label = '' }]) => label);
    expect(late.filter((label) => !label.startsWith('find-nonfinite'))).toEqual([]);
  },
);
