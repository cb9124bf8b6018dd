import type { Pace } from '../../engine/gpu/pace.ts';
import type { SpectrumWorkspace } from './workspace.ts';

/**
 * Singular vectors of a centred matrix X [rows, columns] as the projection leaves them, largest first. The matrix is taken
 * as n = min(rows, columns) vectors a_i of length m = max(rows, columns): its rows where rows ≤ columns, else its columns.
 */
export interface Directions {
  /** n */
  readonly vectors: number;
  /** m */
  readonly length: number;
  /** The vectors are columns of the matrix. */
  readonly transposed: boolean;
  /** w_j [n · n], over the vectors a_i: the singular vectors, of any length, orthogonal to about 1e-6; zeros where there is none. */
  readonly weights: Float32Array<ArrayBuffer>;
  /** Σ_i a_i w_ji / ‖w_j‖ [n · m], times a power of two that all of them share; accurate to the last bits of float32. */
  readonly images: Float32Array<ArrayBuffer>;
}

/** Reads what `project` left behind, before the next factorisation overwrites it. */
export async function readDirections(pace: Pace, workspace: SpectrumWorkspace): Promise<Directions[]> {
  const { buffers, shape, matrices } = workspace;
  const { vectors, padded, transposed, length4 } = shape;
  const length = Math.max(shape.rows, shape.columns);
  const read = await pace.read([
    { buffer: buffers.lower },
    { buffer: buffers.working },
    { buffer: buffers.directionOrder },
    { buffer: buffers.vectorOrder },
  ]);
  const [lower, working] = [new Float32Array(read[0]), new Float32Array(read[1])];
  const [directionOrder, vectorOrder] = [new Uint32Array(read[2]), new Uint32Array(read[3])];
  return Array.from({ length: matrices }, (_, matrix) => {
    const weights = new Float32Array(vectors * vectors);
    const images = new Float32Array(vectors * length);
    const base = matrix * padded;
    for (let rank = 0; rank < vectors; rank++) {
      const from = (base + directionOrder[base + rank]!) * padded;
      for (let place = 0; place < vectors; place++) {
        weights[rank * vectors + vectorOrder[base + place]!] = lower[from + place]!;
      }
      const image = (base + rank) * 4 * length4;
      images.set(working.subarray(image, image + length), rank * length);
    }
    return { vectors, length, transposed, weights, images };
  });
}
