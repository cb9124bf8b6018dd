import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DeviceError, LaminarError } from '../engine/errors.ts';
import type { AdapterReport, Gpu, GpuOptions } from '../engine/gpu/gpu.ts';
import { describeAdapter, openAdapter } from '../engine/gpu/open.ts';
import { unpackSwiftShader } from './software-gpu.ts';

/** One way to get an adapter, and what came of it. */
export interface AdapterAttempt {
  readonly way: 'installed driver' | 'installed software driver' | 'bundled SwiftShader';
  readonly outcome: string;
}

/** An adapter that Dawn accepts, and the ways tried before it. */
export interface FoundAdapter {
  readonly adapter: GPUAdapter;
  readonly attempts: readonly AdapterAttempt[];
}

/** No way gave an adapter; `attempts` tells what came of each. */
export class NoAdapterError extends DeviceError {
  constructor(readonly attempts: readonly AdapterAttempt[]) {
    const tried = attempts.map(({ way, outcome }) => `${way}: ${outcome}`).join('; ');
    super(`no WebGPU adapter (${tried}); install a GPU driver or Mesa 25's Vulkan drivers`);
  }
}

export interface NodeGpuOptions extends Omit<GpuOptions, 'memoryLimit'> {
  /** The most bytes of GPU buffers to hold at once, or how to tell from the adapter; default no bound. */
  readonly memoryLimit?: number | ((adapter: AdapterReport) => number);
  /** Receives one loud line when the CPU has to play the GPU. */
  readonly onNotice?: (line: string) => void;
}

interface WebgpuModule {
  create(flags: string[]): GPU;
  readonly globals: object;
}

/**
 * Dawn's switches where SwiftShader computes. Its extension for zeroed workgroup memory makes compiling a kernel five
 * times as dear; without it Dawn zeroes that memory with a loop of its own. No check is skipped.
 */
const SWIFTSHADER_SWITCHES = ['disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension'];

const require = createRequire(import.meta.url);
const VULKAN_LOADER = 'libvulkan.so.1';

/** Where distributions keep the descriptions of Vulkan drivers. */
const DRIVER_FOLDERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];

/**
 * Opens a GPU in Node: a hardware adapter, else an installed software one that Dawn accepts (Mesa 25's llvmpipe), else
 * the bundled SwiftShader.
 * @throws DeviceError where none of the three gives a device.
 */
export async function openNodeGpu(options: NodeGpuOptions = {}): Promise<Gpu> {
  const { adapter } = await findAdapter();
  const report = describeAdapter(adapter);
  if (report.software) {
    options.onNotice?.(
      `NO HARDWARE GPU: computing on the CPU through ${report.description} (slow). Run "laminar doctor" to see why.`,
    );
  }
  const { memoryLimit = Infinity, ...rest } = options;
  const bytes = typeof memoryLimit === 'function' ? memoryLimit(report) : memoryLimit;
  return openAdapter(adapter, { ...rest, memoryLimit: bytes });
}

/**
 * Finds an adapter without opening it; `laminar doctor` prints the attempts.
 * @throws NoAdapterError where no way gives one; its message names each.
 */
export async function findAdapter(): Promise<FoundAdapter> {
  const attempts: AdapterAttempt[] = [];
  const tryModule = async (
    way: AdapterAttempt['way'],
    specifier: string,
    switches: string[] = [],
  ): Promise<GPUAdapter | undefined> => {
    try {
      const found = await requestAdapter(await dawnInstance(specifier, switches));
      attempts.push({ way, outcome: found ? describeAdapter(found).description : 'no adapter' });
      return found;
    } catch (error) {
      attempts.push({ way, outcome: error instanceof Error ? error.message : String(error) });
      return undefined;
    }
  };

  const missingLoader = findMissingLoader();
  if (missingLoader === undefined) {
    const installed = await tryModule('installed driver', 'webgpu');
    if (installed) return { adapter: installed, attempts };
  } else attempts.push({ way: 'installed driver', outcome: missingLoader });

  const drivers = process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'];
  if (missingLoader === undefined && !drivers) {
    for (const driver of await installedSoftwareDrivers()) {
      process.env['VK_DRIVER_FILES'] = driver;
      const software = await tryModule('installed software driver', 'webgpu');
      if (software) return { adapter: software, attempts };
    }
  }

  try {
    const { webgpuModule, driverFile } = await unpackSwiftShader();
    process.env['VK_DRIVER_FILES'] = driverFile;
    const bundled = await tryModule(
      'bundled SwiftShader',
      pathToFileURL(webgpuModule).href,
      SWIFTSHADER_SWITCHES,
    );
    if (bundled) return { adapter: bundled, attempts };
  } catch (error) {
    if (!(error instanceof LaminarError)) throw error;
    attempts.push({ way: 'bundled SwiftShader', outcome: error.message });
  }
  throw new NoAdapterError(attempts);
}

/**
 * Dawn's instances, one for each copy of Dawn and driver. They live as long as the process: Dawn's event loop calls into
 * one even after its last promise has settled, and would crash if it had been collected meanwhile.
 */
const instances = new Map<string, GPU>();

async function dawnInstance(specifier: string, switches: string[]): Promise<GPU> {
  // The Vulkan loader reads the variable when an instance is made.
  const key = `${specifier} ${process.env['VK_DRIVER_FILES'] ?? ''}`;
  let instance = instances.get(key);
  if (!instance) {
    const { create, globals } = (await import(specifier)) as WebgpuModule;
    // The engine names GPUBufferUsage and its like as a browser has them.
    Object.assign(globalThis, globals);
    instances.set(key, (instance = create(switches)));
  }
  return instance;
}

async function requestAdapter(instance: GPU): Promise<GPUAdapter | undefined> {
  const adapter =
    (await instance.requestAdapter({ powerPreference: 'high-performance' })) ??
    (await instance.requestAdapter({ forceFallbackAdapter: true }));
  return adapter ?? undefined;
}

/** Where the dynamic linker of the common distributions looks for libraries. */
const LIBRARY_FOLDERS = [
  '/lib',
  '/lib64',
  '/lib/x86_64-linux-gnu',
  '/lib/aarch64-linux-gnu',
  '/usr/lib',
  '/usr/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/local/lib',
];

/**
 * Why Dawn could not load Vulkan, or undefined where it could. Asked before Dawn is: it prints a warning to standard
 * output where it finds no loader, and standard output is for data.
 */
function findMissingLoader(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const besideDawn = join(dirname(require.resolve('webgpu')), 'dist', `linux-${process.arch}`);
  const searchPath = (process.env['LD_LIBRARY_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  const isThere = [besideDawn, ...searchPath, ...LIBRARY_FOLDERS].some((folder) =>
    existsSync(join(folder, VULKAN_LOADER)),
  );
  return isThere ? undefined : `${VULKAN_LOADER} is not installed`;
}

async function installedSoftwareDrivers(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of DRIVER_FOLDERS) {
    const names = await readdir(folder).catch(() => []);
    found.push(...names.filter((name) => /^(lvp|swiftshader)/i.test(name)).map((name) => join(folder, name)));
  }
  return found;
}
