import { readFile } from 'node:fs/promises';
import type { Gpu, GpuOptions } from '../../src/engine/gpu/gpu.ts';

/** The device of all tests in this process: what was compiled for one serves the others. */
let shared: Promise<Gpu> | undefined;

// Imported once a GPU is opened: many tests need files alone.
const engine = () => import('../../src/engine/gpu/gpu.ts');
const node = () => import('../../src/node/gpu.ts');

/** What a test needs of the place it runs in; platform-browser.ts is its twin. The device is the process's. */
export async function openTestGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { Gpu } = await engine();
  const { device, adapter } = await (shared ??= node().then(({ openNodeGpu }) => openNodeGpu()));
  return new Gpu(device, adapter, options);
}

/** A GPU with a device of its own, for tests that count what is compiled, or end the device. */
export async function openOwnGpu(options: GpuOptions = {}): Promise<Gpu> {
  const { openNodeGpu } = await node();
  return openNodeGpu(options);
}

/** The cases of a test: every one here; in a browser, a sample. */
export function casesHere<T>(all: readonly T[], _sample: readonly T[]): readonly T[] {
  return all;
}

/** Reads a file of the project, by its path from the root. */
export async function readFixture(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFile(new URL(`../../${path}`, import.meta.url));
  return new Uint8Array(bytes);
}
