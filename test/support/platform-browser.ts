import type { Gpu, GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { openBrowserGpu } from '../../src/engine/gpu/open.ts';

/** What a test needs of the place it runs in; platform-node.ts is its twin. */
export function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openBrowserGpu(options);
}

/** The same: in a browser each file of tests has a page, and each GPU a device of its own. */
export const openOwnGpu = openTestGpu;

/** Reads a file of the project from Vite's server, by its path from the root. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(`/fixtures/${path}`);
  if (!response.ok) throw new Error(`${path}: the test server answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}
