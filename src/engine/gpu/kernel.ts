import { DeviceError } from '../errors.ts';
import { callDevice } from './device-call.ts';

/**
 * What a kernel is: one WGSL file and, in TypeScript, the names and kinds of what it binds. The types make a
 * dispatch that forgets a buffer, misspells a uniform or passes an unknown constant a compile error.
 *
 * Every kernel keeps one convention: `@group(0) @binding(0)` is the uniform struct, whose members are 32-bit scalars
 * in the order of `uniforms`; the storage buffers follow at bindings 1, 2, … in the order of `bindings`.
 */
export type BindingKind = 'read' | 'read_write';
export type ScalarKind = 'u32' | 'i32' | 'f32';

export interface KernelDefinition<
  Bindings extends Record<string, BindingKind> = Record<string, BindingKind>,
  Uniforms extends Record<string, ScalarKind> = Record<string, ScalarKind>,
  Constants extends string = string,
> {
  /** The shader's file name without its ending. */
  readonly name: string;
  /** Directives and constants before the text of the file, where they depend on the device. */
  readonly head?: string;
  /** The WGSL text of its file. Its entry point is `main`. */
  readonly source: string;
  /** Texts of functions that several kernels share; they follow the kernel's own. */
  readonly includes: readonly string[];
  readonly bindings: Bindings;
  readonly uniforms: Uniforms;
  /** The names of the `override` constants that a dispatch sets; those it leaves out keep the file's default. */
  readonly constants: readonly Constants[];
}

/** A part of a buffer; offsets are in bytes and multiples of the device's storage offset alignment. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

/** How many workgroups run, in each dimension. */
export type Workgroups = readonly [x: number, y?: number, z?: number];

export interface Dispatch<
  Bindings extends Record<string, BindingKind>,
  Uniforms extends Record<string, ScalarKind>,
  Constants extends string,
> {
  readonly bindings: { readonly [name in keyof Bindings]: GPUBuffer | BufferRange };
  readonly uniforms: { readonly [name in keyof Uniforms]: number };
  readonly constants?: { readonly [name in Constants]?: number };
  readonly workgroups: Workgroups;
}

/** Declares a kernel. It returns what it is given; the types do the work. */
export function defineKernel<
  const Bindings extends Record<string, BindingKind>,
  const Uniforms extends Record<string, ScalarKind>,
  const Constants extends string = never,
>(
  definition: Omit<KernelDefinition<Bindings, Uniforms, Constants>, 'constants' | 'includes'> & {
    readonly constants?: readonly Constants[];
    readonly includes?: readonly string[];
  },
): KernelDefinition<Bindings, Uniforms, Constants> {
  return { constants: [], includes: [], ...definition };
}

/** The whole WGSL text of a kernel: what stands before its file, the file, and what it includes. */
export function kernelCode({
  head,
  source,
  includes,
}: Pick<KernelDefinition, 'head' | 'source' | 'includes'>): string {
  return [...(head === undefined ? [] : [head]), source, ...includes].join('\n');
}

interface Compiled {
  readonly module: GPUShaderModule;
  readonly layout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
  readonly pipelines: Map<string, GPUComputePipeline>;
  /** Those that are being compiled. */
  readonly pending: Map<string, Promise<void>>;
}

type ConstantValues = Readonly<Record<string, number | undefined>>;

/** A kernel to compile ahead, for one set of its constants. */
export interface PipelineRequest {
  readonly kernel: KernelDefinition;
  readonly constants?: ConstantValues;
}

/** Compiles each kernel once, and each of its specialisations (values of its override constants) once. */
export class KernelCache {
  static readonly #caches = new WeakMap<GPUDevice, KernelCache>();
  readonly #compiled = new Map<string, Compiled>();

  private constructor(private readonly device: GPUDevice) {}

  /** The cache of a device: everything that works on the device shares it. */
  static of(device: GPUDevice): KernelCache {
    let cache = KernelCache.#caches.get(device);
    if (!cache) KernelCache.#caches.set(device, (cache = new KernelCache(device)));
    return cache;
  }

  /** The pipeline of a kernel for one set of constants, and the layout of its bind group. */
  pipeline(
    kernel: KernelDefinition,
    constants: ConstantValues,
  ): { pipeline: GPUComputePipeline; layout: GPUBindGroupLayout } {
    const compiled = this.#module(kernel);
    const [key, descriptor] = describe(kernel, compiled, constants);
    let pipeline = compiled.pipelines.get(key);
    if (!pipeline) {
      pipeline = callDevice(`compile ${kernel.name}`, () => this.device.createComputePipeline(descriptor));
      compiled.pipelines.set(key, pipeline);
    }
    return { pipeline, layout: compiled.layout };
  }

  /**
   * Compiles kernels in the background, several at once; `pipeline` then has them ready.
   * @throws DeviceError with the compiler's messages if the device rejects one.
   */
  async prepare(requests: readonly PipelineRequest[]): Promise<void> {
    await Promise.all(requests.map(({ kernel, constants }) => this.#prepare(kernel, constants ?? {})));
  }

  #prepare(kernel: KernelDefinition, constants: ConstantValues): Promise<void> {
    const compiled = this.#module(kernel);
    const [key, descriptor] = describe(kernel, compiled, constants);
    if (compiled.pipelines.has(key)) return Promise.resolve();
    let pending = compiled.pending.get(key);
    if (!pending) {
      pending = callDevice(`compile ${kernel.name}`, () => this.device.createComputePipelineAsync(descriptor))
        .then(
          (pipeline) => {
            if (!compiled.pipelines.has(key)) compiled.pipelines.set(key, pipeline);
          },
          async (cause: unknown) => {
            throw await rejection(kernel, compiled.module, cause);
          },
        )
        .finally(() => compiled.pending.delete(key));
      compiled.pending.set(key, pending);
    }
    return pending;
  }

  #module(kernel: KernelDefinition): Compiled {
    const known = this.#compiled.get(kernel.name);
    if (known) return known;
    const storage = Object.values(kernel.bindings).map((kind, index): GPUBindGroupLayoutEntry => ({
      binding: index + 1,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: kind === 'read' ? 'read-only-storage' : 'storage' },
    }));
    const uniform: GPUBindGroupLayoutEntry = {
      binding: 0,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: 'uniform', hasDynamicOffset: true },
    };
    const compiled = callDevice(`compile ${kernel.name}`, (): Compiled => {
      const layout = this.device.createBindGroupLayout({
        label: kernel.name,
        entries: [uniform, ...storage],
      });
      return {
        module: this.device.createShaderModule({ label: kernel.name, code: kernelCode(kernel) }),
        layout,
        pipelineLayout: this.device.createPipelineLayout({ label: kernel.name, bindGroupLayouts: [layout] }),
        pipelines: new Map(),
        pending: new Map(),
      };
    });
    this.#compiled.set(kernel.name, compiled);
    return compiled;
  }
}

/** The key of a specialisation, and how to make it. */
function describe(
  kernel: KernelDefinition,
  { module, pipelineLayout }: Compiled,
  constants: ConstantValues,
): [string, GPUComputePipelineDescriptor] {
  const values: Record<string, number> = {};
  for (const name of kernel.constants) {
    const value = constants[name];
    if (value !== undefined) values[name] = value;
  }
  const key = JSON.stringify(values);
  const compute = { module, entryPoint: 'main', constants: values };
  return [key, { label: `${kernel.name} ${key}`, layout: pipelineLayout, compute }];
}

/** Why a device would not compile a kernel, in the compiler's own words where it has some. */
async function rejection(
  kernel: KernelDefinition,
  module: GPUShaderModule,
  cause: unknown,
): Promise<DeviceError> {
  const { messages } = await module.getCompilationInfo().catch(() => ({ messages: [] }));
  const errors = messages
    .filter(({ type }) => type === 'error')
    .map(({ lineNum, linePos, message }) => `line ${lineNum}:${linePos}: ${message}`);
  const reason = errors.join('; ') || (cause instanceof Error ? cause.message : String(cause));
  return new DeviceError(
    `the GPU's compiler rejected the kernel ${kernel.name} (${reason}); update the driver or the browser, and please report it`,
    { code: 'kernel-rejected', cause },
  );
}

/** Writes a kernel's uniforms, in declared order, at a byte offset. */
export function writeUniforms(
  kernel: KernelDefinition,
  values: Readonly<Record<string, number>>,
  target: DataView,
  offset: number,
): void {
  Object.entries(kernel.uniforms).forEach(([name, kind], index) => {
    const value = values[name] ?? 0;
    const at = offset + 4 * index;
    if (kind === 'f32') target.setFloat32(at, value, true);
    else if (kind === 'i32') target.setInt32(at, value, true);
    else target.setUint32(at, value, true);
  });
}
