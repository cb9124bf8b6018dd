import { DeviceError } from '../../engine/errors.ts';
import type { Gpu } from '../../engine/gpu/gpu.ts';
import { MAX_WORKGROUPS } from '../../engine/gpu/row-ranges.ts';

/** Vectors in one block of the Jacobi sweeps; pairs of blocks must come out even. */
export const BLOCK = 16;

/** The sizes that matrices of one shape [rows, columns] share. */
export interface SpectrumShape {
  readonly rows: number;
  readonly columns: number;
  /** True where the vectors are the matrix's columns: rows > columns. */
  readonly transposed: boolean;
  /** min(rows, columns): the vectors, and the singular values. */
  readonly vectors: number;
  /** `vectors` rounded up to a whole, even number of blocks. */
  readonly padded: number;
  /** Groups of four floats per vector: max(rows, columns) / 4, rounded up. */
  readonly length4: number;
}

export function spectrumShape(rows: number, columns: number): SpectrumShape {
  const vectors = Math.min(rows, columns);
  return {
    rows,
    columns,
    transposed: rows > columns,
    vectors,
    padded: Math.ceil(vectors / (2 * BLOCK)) * 2 * BLOCK,
    length4: Math.ceil(Math.max(rows, columns) / 4),
  };
}

/** Operations of one Jacobi round per matrix: 32 x 32 products along a pair's vectors, twice, and the inner sweep. */
export function roundWork(padded: number): number {
  return (padded / (2 * BLOCK)) * (4 * 1024 * padded + 2 ** 18);
}

type ScratchName = keyof ReturnType<typeof scratchBytes>;

/** Bytes of every scratch buffer for `matrices` matrices. */
function scratchBytes({ columns, vectors, padded, length4 }: SpectrumShape, matrices: number) {
  const length = 4 * length4;
  return {
    means: 4 * 5 * columns,
    summary: 16 * matrices,
    centred: 4 * matrices * vectors * length,
    /** The sorted vectors, factored in place; later their projections, factored too. */
    working: 4 * matrices * padded * length,
    reflectors: 4 * matrices * 16 * length,
    triangle: 4 * matrices * 256,
    lower: 4 * matrices * padded * padded,
    /** The Gram matrices of the blocks of `lower`, then the products between the blocks of each pair. */
    grams: 6 * matrices * padded * BLOCK,
    /** The steps of a round for each pair of blocks, and their angles: 31 steps of four lanes with eight numbers each. */
    steps: (4 * matrices * padded) / (2 * BLOCK),
    turns: (4 * matrices * padded * 31 * 4 * 8) / (2 * BLOCK),
    norms: 4 * matrices * padded,
    vectorOrder: 4 * matrices * padded,
    vectorNorms: 4 * matrices * padded,
    directionOrder: 4 * matrices * padded,
    directionNorms: 4 * matrices * padded,
    floors: 4 * matrices,
    directions: 16 * matrices * padded,
    extents: 4 * matrices * length,
    worst: 4 * matrices,
    progress: 8 * matrices,
    cumulative: 4 * matrices * padded,
  };
}

/** Bytes of all scratch for `matrices` matrices at once. */
export function workspaceBytes(shape: SpectrumShape, matrices: number): number {
  return Object.values(scratchBytes(shape, matrices)).reduce((sum, bytes) => sum + bytes, 0);
}

/** The GPU buffers of one group of matrices. A step that needs zeros clears them itself. */
export class SpectrumWorkspace implements Disposable {
  readonly buffers: Readonly<Record<ScratchName, GPUBuffer>>;

  constructor(
    private readonly gpu: Gpu,
    readonly shape: SpectrumShape,
    readonly matrices: number,
  ) {
    const allocated: Partial<Record<ScratchName, GPUBuffer>> = {};
    try {
      for (const [name, bytes] of Object.entries(scratchBytes(shape, matrices))) {
        allocated[name as ScratchName] = gpu.allocate(`spectrum ${name}`, bytes);
      }
    } catch (error) {
      for (const buffer of Object.values(allocated)) gpu.free(buffer);
      throw error;
    }
    this.buffers = allocated as Record<ScratchName, GPUBuffer>;
  }

  /** Workgroups of one Jacobi round per matrix. */
  get pairs(): number {
    return this.shape.padded / (2 * BLOCK);
  }

  dispose(): void {
    for (const buffer of Object.values(this.buffers)) this.gpu.free(buffer);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * How many matrices of a shape to work on at once, within the binding limit and a bound on scratch.
 * @param name of the first of them, for the message
 * @throws DeviceError if the binding limit cannot hold even one.
 */
export function matricesAtOnce(gpu: Gpu, shape: SpectrumShape, scratchLimit: number, name: string): number {
  const sizes = scratchBytes(shape, 1);
  const largest = Math.max(...Object.values(sizes));
  if (largest > gpu.bindingLimit) {
    throw new DeviceError(
      `the spectrum of ${name} (${shape.rows} x ${shape.columns}) needs a buffer of ${largest} bytes; this adapter binds ` +
        `at most ${gpu.bindingLimit}: take fewer tokens`,
      { code: 'binding-limit', subject: { kind: 'matrix', name } },
    );
  }
  const total = workspaceBytes(shape, 1);
  const maxByMemory = Math.min(Math.floor(gpu.bindingLimit / largest), Math.floor(scratchLimit / total));
  // Where a CPU computes, one round of a group must be short; a GPU gains from more matrices at once.
  const short = Math.floor(gpu.tuning.groupWork / roundWork(shape.padded));
  // Each round passes over all triangular factors of a group.
  const cached = Math.floor(gpu.tuning.groupBytes / sizes.lower);
  return Math.max(1, Math.min(maxByMemory, short, cached, MAX_WORKGROUPS));
}
