import { isMainThread } from 'node:worker_threads';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DeviceError, LaminarError } from '../engine/errors.ts';
import type { AdapterReport, Gpu, GpuOptions } from '../engine/gpu/gpu.ts';
import { describeAdapter, openAdapter } from '../engine/gpu/open.ts';
import { adapterLine } from '../engine/gpu/verdicts.ts';
import { AdapterMemory } from './adapter-memory.ts';
import { pauseWhileWaiting } from './idle-waits.ts';
import { probeInstalledDriver } from './installed-driver.ts';
import type { Probe } from './installed-driver.ts';
import { isSwiftShaderInstalled, SOFTWARE_PACKAGE, unpackSwiftShader } from './software-gpu.ts';

/** One way to get an adapter, and what came of it. */
export interface AdapterAttempt {
  readonly way: 'installed driver' | 'packaged SwiftShader';
  readonly outcome: string;
  /** What the libraries below printed meanwhile, line by line. */
  readonly said: readonly string[];
}

/** An adapter that Dawn accepts, and the ways tried before it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly attempts: readonly AdapterAttempt[];
  /** Where the packaged software GPU lies unpacked, and the better places that could not be used; null if not needed. */
  readonly driverCache: { readonly folder: string; readonly refused: readonly string[] } | null;
}

/** No way gave an adapter; `attempts` tells what came of each. */
export class NoAdapterError extends DeviceError {
  constructor(readonly attempts: readonly AdapterAttempt[]) {
    const tried = attempts.map(({ way, outcome }) => `${way}: ${outcome}`).join('; ');
    super(`no WebGPU adapter (${tried}); ${gpuRemedy()}`);
  }
}

/** What to do on a machine without an adapter. */
function gpuRemedy(): string {
  if (isSwiftShaderInstalled() !== false) return "install a GPU driver or Mesa 25's Vulkan drivers";
  return `install the GPU's driver, or run npm install ${SOFTWARE_PACKAGE}, which computes on the CPU (slow)`;
}

export interface NodeGpuOptions extends Omit<GpuOptions, 'memoryLimit'> {
  /** The maximum number of bytes of GPU buffers to hold at once, or how to tell from the adapter; default no bound. */
  readonly memoryLimit?: number | ((adapter: AdapterReport) => number);
  /** Receives one loud line when the CPU has to play the GPU. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Receives, line by line, what the libraries below printed while an adapter was looked for. */
  readonly onChatter?: (line: string) => void;
}

interface WebgpuModule {
  create(flags: string[]): GPU;
  readonly globals: object;
}

/**
 * Dawn's switches where SwiftShader computes. Its extension for zeroed workgroup memory makes compiling a kernel five
 * times as expensive; without it Dawn zeroes that memory with a loop of its own. No check is skipped.
 */
const SWIFTSHADER_SWITCHES = ['disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension'];

/** With it Dawn offers what is experimental. Laminar uses nothing of it but subgroup matrices. */
const UNSAFE_SWITCH = 'enable-dawn-features=allow_unsafe_apis';

/**
 * Opens a GPU in Node: what an installed driver offers (hardware, else a software driver that Dawn accepts, such as
 * Mesa 25's llvmpipe), else SwiftShader from its package. Worker threads may do so, too; terminate one only after it
 * has disposed of its GPU, because within one of Dawn's calls the whole process would end. Kernels are chosen as `bench
 * --tune --remember` found, and self-tests remembered (`AdapterMemory`).
 * @throws DeviceError if neither gives a device.
 */
export async function openNodeGpu(options: NodeGpuOptions = {}): Promise<Gpu> {
  const { memoryLimit = Infinity, onNotice, onChatter, ...rest } = options;
  const { adapter, attempts } = await findAdapter(options);
  for (const { said } of attempts) for (const line of said) onChatter?.(line);
  const report = describeAdapter(adapter);
  if (report.software) {
    onNotice?.(
      `NO HARDWARE GPU: computing on the CPU through ${report.description} (slow). Run "laminar doctor" to see why.`,
    );
  }
  const bytes = typeof memoryLimit === 'function' ? memoryLimit(report) : memoryLimit;
  const memory = new AdapterMemory();
  const kept = await memory.choicesOf(adapterLine(report, adapter.info));
  return openAdapter(adapter, {
    verdicts: memory,
    ...(kept && { choices: kept.options }),
    ...rest,
    memoryLimit: bytes,
    onNotice,
  });
}

/**
 * Finds an adapter without opening it; `laminar doctor` prints the attempts.
 * @param options `subgroupMatrices`: with the features that Dawn calls unsafe, among them subgroup matrices
 * @throws NoAdapterError if no way gives one; its message names each.
 */
export async function findAdapter({
  subgroupMatrices = false,
}: Pick<NodeGpuOptions, 'subgroupMatrices'> = {}): Promise<FoundAdapter> {
  const asked = subgroupMatrices ? [UNSAFE_SWITCH] : [];
  const attempts: AdapterAttempt[] = [];
  const { said, outcome, environment, isWorthLoading } = await (probed ??= probeInstalledDriver());
  if (isWorthLoading) {
    try {
      const switches = /swiftshader/i.test(outcome) ? SWIFTSHADER_SWITCHES : [];
      const adapter = await within(environment, () => requestAdapter('webgpu', [...switches, ...asked]));
      attempts.push({ way: 'installed driver', outcome: describeAdapter(adapter).description, said });
      return { adapter, attempts, driverCache: null };
    } catch (error) {
      attempts.push({ way: 'installed driver', outcome: messageOf(error), said });
    }
  } else attempts.push({ way: 'installed driver', outcome, said });

  try {
    const driverCache = await unpackSwiftShader();
    const entry = pathToFileURL(join(driverCache.folder, 'index.js')).href;
    const adapter = await requestAdapter(entry, [...SWIFTSHADER_SWITCHES, ...asked]);
    attempts.push({ way: 'packaged SwiftShader', outcome: describeAdapter(adapter).description, said: [] });
    return { adapter, attempts, driverCache };
  } catch (error) {
    attempts.push({ way: 'packaged SwiftShader', outcome: messageOf(error), said: [] });
  }
  throw new NoAdapterError(attempts);
}

/** The drivers of a machine are asked once per process. */
let probed: Promise<Probe> | undefined;

function messageOf(error: unknown): string {
  return error instanceof LaminarError ? error.message : String(error);
}

/**
 * Dawn's instances, one for each copy of Dawn and its switches. They live as long as the process: Dawn's event loop calls into one even
 * after its last promise has settled, and would crash if it had been collected meanwhile.
 */
const instances = new Map<string, GPU>();

/** @throws DeviceError if this copy of Dawn accepts no driver; the system's error where it cannot be loaded. */
async function requestAdapter(specifier: string, switches: string[]): Promise<GPUAdapter> {
  const key = [specifier, ...switches].join(' ');
  let instance = instances.get(key);
  if (!instance) {
    const { create, globals } = (await import(specifier)) as WebgpuModule;
    // The engine names GPUBufferUsage and its like as a browser has them.
    Object.assign(globalThis, globals);
    pauseWhileWaiting(globals);
    instances.set(key, (instance = create(switches)));
  }
  const adapter =
    (await instance.requestAdapter({ powerPreference: 'high-performance' })) ??
    (await instance.requestAdapter({ forceFallbackAdapter: true }));
  if (!adapter) throw new DeviceError('no adapter');
  return adapter;
}

/** Sets variables while drivers are loaded, because drivers read them then. Variables of a worker thread do not reach them. */
async function within<T>(environment: Readonly<Record<string, string>>, load: () => Promise<T>): Promise<T> {
  if (!isMainThread) return load();
  const before = Object.keys(environment).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, environment);
  try {
    return await load();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
  }
}
