import type { SingularValues } from '../dimensions.ts';
import type { SavedReport } from './saved-report.ts';

/** A run to compare. */
export interface SavedRun {
  /** Where it came from: a folder, a file's name. */
  readonly source: string;
  readonly report: SavedReport;
}

/** The singular values of every state 0 to L, by the sequence's name, as spectra.safetensors has them. */
export type SavedSpectra = ReadonlyMap<string, readonly SingularValues[]>;
