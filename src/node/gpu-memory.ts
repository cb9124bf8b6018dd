import { totalmem } from 'node:os';
import type { AdapterReport } from '../engine/gpu/gpu.ts';

/** Weights larger than this stream through a hardware GPU, whose memory WebGPU does not tell. */
const HARDWARE_BYTES = 4 * 2 ** 30;
/** The part of the machine's memory that buffers of a software adapter may take. */
const SOFTWARE_SHARE = 1 / 4;

/** What `laminar --help` says of the bound where --gpu-memory gives none. */
export const gpuMemoryDefault =
  "default: a quarter of the machine's memory on a software adapter; on hardware no bound, or 4 GiB for larger weights";

/**
 * The bound on GPU memory where --gpu-memory gives none. A software adapter's buffers are the machine's own memory.
 * @param weightBytes of the model that will run, 0 if none
 * @returns bytes, Infinity for no bound
 */
export function defaultGpuMemory(
  adapter: AdapterReport,
  weightBytes: number,
  machineBytes: number = machineMemory(),
): number {
  if (adapter.software) return Math.floor(machineBytes * SOFTWARE_SHARE);
  return weightBytes > HARDWARE_BYTES ? HARDWARE_BYTES : Infinity;
}

/** Bytes of memory that this process may have: the machine's, or its container's where that is less. */
function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
