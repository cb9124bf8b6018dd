import type { SingularValues } from '../dimensions.ts';
import type { SavedReport } from './saved-report.ts';

/** A run to compare. */
export interface SavedRun {
  /** Where it came from: a folder, a file's name. */
  readonly source: string;
  readonly report: SavedReport;
  /** What a reader should know of it: a sentence each. */
  readonly notices?: readonly string[];
}

/** The singular values of every state 0 to L, by `spectrumName`, as spectra.safetensors has them. */
export type SavedSpectra = ReadonlyMap<string, readonly SingularValues[]>;
