import { readFile } from 'node:fs/promises';
import type { Gpu } from '../../src/engine/gpu/gpu.ts';
import type { GpuOptions } from '../../src/engine/gpu/gpu.ts';
import { openNodeGpu } from '../../src/node/gpu.ts';

/** What a test needs of the place it runs in; platform-browser.ts is its twin. */
export function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  return openNodeGpu(options);
}

/** Reads a file of the project, by its path from the root. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(new URL(`../../${path}`, import.meta.url));
  return new Uint8Array(bytes);
}
