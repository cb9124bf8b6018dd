import { totalmem } from 'node:os';

/** What `laminar --help` says about the bound if --gpu-memory is not given. */
export const gpuMemoryDefault =
  "default: a quarter of the machine's memory on a software adapter; on hardware no bound, or 4 GiB for larger weights";

/** Bytes of memory that this process may have: the machine's, or its container's if that is less. */
export function machineMemory(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
