import { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { openBrowserGpu } from '../../src/engine/gpu/open.ts';

/** The device of all tests in this page: what was compiled for one serves the others. */
let shared: Promise<Gpu> | undefined;

/** What a test needs of the place it runs in; platform-node.ts is its twin. The device is the page's. */
export async function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { device, adapter } = await (shared ??= openBrowserGpu());
  return new Gpu(device, adapter, options);
}

/** A GPU with a device of its own. */
export function openOwnGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openBrowserGpu(options);
}

/**
 * The cases of a test: a sample here. The same kernels run on the same software GPU in Node, in every case; a browser has
 * another build of Dawn, and must show that each kernel, format and variant compiles and is right there. With
 * LAMINAR_ALL_SIZES=1 in the environment it runs every case, too.
 */
export function casesHere<T>(all: readonly T[], sample: readonly T[]): readonly T[] {
  return import.meta.env['LAMINAR_ALL_SIZES'] ? all : sample;
}

/** Reads a file of the project from Vite's server, by its path from the root. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`/fixtures/${path}`);
  if (!response.ok) throw new Error(`${path}: the test server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
