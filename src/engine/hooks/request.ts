import type { Gpu } from '../gpu/gpu.ts';

/** A part of an activation; what is left out is all of it. Numbers count from 0, in any order. */
export interface Choice {
  readonly sequences?: readonly number[] | undefined;
  /** For a pattern, its queries. */
  readonly positions?: readonly number[] | undefined;
  readonly heads?: readonly number[] | undefined;
}

/** Activations to look at, or a part of them. */
export interface CaptureRequest extends Choice {
  /** A name; `*` stands for any run of characters. */
  readonly at: string;
}

/** The values that a user's function is given, and where they stand. */
export interface EditedPart {
  readonly name: string;
  /** The shape of the values: [positions, width], [positions, heads, width] or, of a pattern, [heads, positions, T]. */
  readonly shape: readonly number[];
  readonly sequence: number;
  readonly positions: readonly number[];
  /** Empty where the activation has none. */
  readonly heads: readonly number[];
}

/** The values that a transformation is given: one sequence's part as a dense matrix on the GPU. */
export interface EditedMatrix {
  readonly name: string;
  readonly sequence: number;
  readonly gpu: Gpu;
  /** F32 [rows, columns], row-major; it is read back into the activation. */
  readonly buffer: GPUBuffer;
  /** Positions that are chosen. */
  readonly rows: number;
  /** Features: where there are heads, those of all chosen heads side by side. */
  readonly columns: number;
  /** The run's. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A change of an activation, or of a part of it; later steps see it, earlier ones do not. A `value` is a number, or numbers
 * of the part's shape [sequences, positions, (heads,) width] (of a pattern [sequences, heads, positions, T]), from which
 * leading axes may be left out: they repeat it.
 */
export type Edit = Choice & {
  /** A name; `*` stands for any run of characters. */
  readonly at: string;
} & (
    | { readonly op: 'zero' }
    /** 1/(t + 1) for the keys up to the query t: of `hook_pattern` alone. */
    | { readonly op: 'uniform' }
    | { readonly op: 'replace' | 'add' | 'scale'; readonly value: number | ArrayLike<number> }
    /** Changes the values in place, or returns others; called for each sequence, of a large pattern for pieces of it. */
    | {
        readonly op: 'apply';
        readonly apply: (
          values: Float32Array<ArrayBuffer>,
          part: EditedPart,
        ) => Float32Array | undefined | Promise<Float32Array | undefined>;
      }
    /** Changes the values on the GPU, in place; called for each sequence. `keepComponents` makes such an edit. */
    | { readonly op: 'transform'; readonly transform: (matrix: EditedMatrix) => Promise<void> }
  );

/** What a run is asked for. */
export interface HookRequests {
  /** Names of activations to capture, with `*`, or parts of them. Of two that mean the same name the later one counts. */
  readonly capture?: readonly (string | CaptureRequest)[] | undefined;
  /** Changes, made in this order where several have the same name. */
  readonly edits?: readonly Edit[] | undefined;
}
