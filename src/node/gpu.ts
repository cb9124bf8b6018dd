import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DeviceError, LaminarError } from '../engine/errors.ts';
import type { Gpu, GpuOptions } from '../engine/gpu/gpu.ts';
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

export interface NodeGpuOptions extends GpuOptions {
  /** Receives one loud line when the CPU has to play the GPU. */
  readonly onNotice?: (line: string) => void;
}

interface WebgpuModule {
  create(flags: string[]): GPU;
  readonly globals: object;
}

/** Dawn's switches: no robustness checks are skipped, nothing experimental is on. */
const DAWN_FLAGS: string[] = [];

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
  return openAdapter(adapter, options);
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
  ): Promise<GPUAdapter | undefined> => {
    try {
      const adapter = await requestAdapter((await import(specifier)) as WebgpuModule);
      attempts.push({ way, outcome: adapter ? describeAdapter(adapter).description : 'no adapter' });
      return adapter ?? undefined;
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
    const bundled = await tryModule('bundled SwiftShader', pathToFileURL(webgpuModule).href);
    if (bundled) return { adapter: bundled, attempts };
  } catch (error) {
    if (!(error instanceof LaminarError)) throw error;
    attempts.push({ way: 'bundled SwiftShader', outcome: error.message });
  }
  throw new NoAdapterError(attempts);
}

async function requestAdapter({ create, globals }: WebgpuModule): Promise<GPUAdapter | null> {
  // The engine names GPUBufferUsage and its like as a browser has them.
  Object.assign(globalThis, globals);
  // Node cannot exit while what create() returned is reachable, so it is not kept.
  const gpu = create(DAWN_FLAGS);
  return (
    (await gpu.requestAdapter({ powerPreference: 'high-performance' })) ??
    (await gpu.requestAdapter({ forceFallbackAdapter: true }))
  );
}

/**
 * Why Dawn would find no Vulkan loader on Linux, if so. Asked beforehand because Dawn prints two lines of warning of its
 * own on stderr, where a command's one line of error belongs.
 */
function findMissingLoader(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const dawnFolder = join(dirname(require.resolve('webgpu')), 'dist', `linux-${process.arch}`);
  if (existsSync(join(dawnFolder, VULKAN_LOADER))) return undefined;
  try {
    process.dlopen({ exports: {} }, VULKAN_LOADER);
    return undefined;
  } catch (error) {
    // A loader that is there is refused too, for it is no Node addon; only one that is absent is "not opened".
    const message = error instanceof Error ? error.message : String(error);
    return message.includes('cannot open shared object file') ? `no Vulkan loader (${message})` : undefined;
  }
}

async function installedSoftwareDrivers(): Promise<string[]> {
  const found: string[] = [];
  for (const folder of DRIVER_FOLDERS) {
    const names = await readdir(folder).catch(() => []);
    found.push(...names.filter((name) => /^(lvp|swiftshader)/i.test(name)).map((name) => join(folder, name)));
  }
  return found;
}
