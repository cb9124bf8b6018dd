/** A row-major F32 matrix [rows, columns] that lies in a GPU buffer: tokens by features. */
export interface MatrixView {
  /** What error messages call it, e.g. 'layer 3, real'. */
  readonly name: string;
  readonly buffer: GPUBuffer;
  /** Where it begins, in elements; any number. */
  readonly offset: number;
  readonly rows: number;
  readonly columns: number;
  /** Whether to take it without subtracting the columns' means. All its magnitudes must be below 1 then. */
  readonly isCentred?: boolean;
}
