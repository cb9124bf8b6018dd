/** What a kernel does, in all calls of a job. */
export interface Work {
  /** Floating-point operations; 0 where they do not decide how long it takes. */
  readonly operations: number;
  /**
   * The minimum number of bytes of GPU memory that are read and written: every operand once per call, as if caches held
   * everything that is used again.
   */
  readonly bytes: number;
}

/** By a kernel's name without its variant: `matrix-product` stands for `matrix-product-lanes`, too. */
export type WorkByKernel = Readonly<Record<string, Work>>;

export function addWork(one: Work | undefined, other: Work): Work {
  return {
    operations: (one?.operations ?? 0) + other.operations,
    bytes: (one?.bytes ?? 0) + other.bytes,
  };
}

/** The work of two jobs together. */
export function joinWork(one: WorkByKernel, other: WorkByKernel): WorkByKernel {
  const joined: Record<string, Work> = { ...one };
  for (const [kernel, work] of Object.entries(other)) joined[kernel] = addWork(joined[kernel], work);
  return joined;
}

/** The operations of all kernels. */
export function operationsOf(work: WorkByKernel): number {
  return Object.values(work).reduce((sum, { operations }) => sum + operations, 0);
}
