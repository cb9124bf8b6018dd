import type { AdapterReport, Gpu } from './gpu.ts';
import { kernelCode } from './kernel.ts';
import type { VariantCheck } from './self-test.ts';

/** What a self-test is about. If any of it changes, the test is made again. */
export interface SelfTest {
  /** What is known of the adapter and its driver, as one line of JSON. */
  readonly adapter: string;
  /** The check's name. */
  readonly check: string;
  /** SHA-256, in hex, of the kernels' texts and of the decisions under which they were tested. */
  readonly kernels: string;
}

/** What a self-test found: in words what is wrong with the kernel on this adapter, or null if it works. */
export interface Verdict extends SelfTest {
  readonly fault: string | null;
}

/**
 * Remembers verdicts from one run of a program to the next. It may fail or forget: the test is then made again.
 * Node keeps them in a file, the page in the browser's storage.
 */
export interface VerdictStore {
  find(test: SelfTest): Promise<Verdict | undefined>;
  keep(verdict: Verdict): Promise<void>;
}

/** The self-test that a check makes on a GPU. */
export async function selfTestOf(gpu: Gpu, { name, kernels, forced }: VariantCheck): Promise<SelfTest> {
  const texts = kernels.map((kernel) => kernelCode(kernel));
  // In words, because JSON has no infinity.
  const decisions = Object.entries({ ...gpu.tuning, ...forced })
    .filter(([name]) => name !== 'traits')
    .map(([name, value]) => `${name}=${typeof value === 'object' ? JSON.stringify(value) : value}`);
  const text = new TextEncoder().encode(JSON.stringify([...texts, ...decisions.sort()]));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', text));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return { adapter: adapterLine(gpu.adapter, gpu.device.adapterInfo), check: name, kernels: hex };
}

/** What is known of an adapter: Dawn's description of a Vulkan adapter names the driver and its version. */
export function adapterLine(
  { vendor, architecture, description }: AdapterReport,
  // Not every browser tells a device's adapter.
  info: Partial<GPUAdapterInfo> | undefined,
): string {
  return JSON.stringify([vendor, architecture, description, info?.device ?? '', info?.description ?? '']);
}
