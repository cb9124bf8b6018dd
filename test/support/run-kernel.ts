import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { BindingKind, KernelDefinition, ScalarKind, Workgroups } from '../../src/engine/gpu/kernel.ts';

/** What one run of a kernel is given: the initial content of every buffer, uniforms, constants, the grid. */
export interface KernelRun<
  Bindings extends Record<string, BindingKind>,
  Uniforms extends Record<string, ScalarKind>,
  Constants extends string,
> {
  readonly buffers: { readonly [name in keyof Bindings]: ArrayBufferView };
  readonly uniforms: { readonly [name in keyof Uniforms]: number };
  readonly constants?: { readonly [name in Constants]?: number };
  readonly workgroups: Workgroups;
}

/** The buffers that a kernel may write. */
type Written<Bindings extends Record<string, BindingKind>> = {
  [name in keyof Bindings]: Bindings[name] extends 'read' ? never : name;
}[keyof Bindings];

/** Runs a kernel once, by itself, and reads back what it may write, with whatever that held where it did not write. */
export async function runKernel<
  Bindings extends Record<string, BindingKind>,
  Uniforms extends Record<string, ScalarKind>,
  Constants extends string,
>(
  gpu: Gpu,
  kernel: KernelDefinition<Bindings, Uniforms, Constants>,
  { buffers, uniforms, constants, workgroups }: KernelRun<Bindings, Uniforms, Constants>,
): Promise<Record<Written<Bindings>, ArrayBuffer>> {
  const names = Object.keys(kernel.bindings) as (keyof Bindings & string)[];
  const bindings = Object.fromEntries(
    names.map((name) => {
      // Kernels that read four elements at once are given whole fours.
      const bytes = Math.ceil(buffers[name].byteLength / 16) * 16;
      return [name, gpu.allocate(`${kernel.name}: ${name}`, bytes)];
    }),
  ) as Record<keyof Bindings, GPUBuffer>;
  try {
    for (const name of names) gpu.write(bindings[name], 0, buffers[name]);
    const recorder = gpu.recorder();
    recorder.dispatch(kernel, { bindings, uniforms, ...(constants && { constants }), workgroups });
    recorder.submit();
    const written = names.filter((name) => kernel.bindings[name] === 'read_write');
    const contents = await gpu.readAll(
      written.map((name) => ({ buffer: bindings[name], size: buffers[name].byteLength })),
    );
    return Object.fromEntries(written.map((name, index) => [name, contents[index]!])) as Record<
      Written<Bindings>,
      ArrayBuffer
    >;
  } finally {
    for (const name of names) gpu.free(bindings[name]);
  }
}

/** An output's content before a kernel runs: NaN, so that what it does not write shows. */
export function poison(length: number): Float32Array<ArrayBuffer> {
  return new Float32Array(length).fill(NaN);
}
