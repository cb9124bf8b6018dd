import type { SavedReport, SavedSequence } from './saved-report.ts';

/**
 * Whether two reports tell of the same run with the same numbers: a copy, or a run that was repeated on the same machine.
 * Times and adapters do not count; bands follow from the sequences.
 */
export function isSameRun(one: SavedReport, other: SavedReport): boolean {
  return identityOf(one) === identityOf(other);
}

function identityOf({ model, text, threshold, seed, sequences }: SavedReport): string {
  const numbers = [...sequences].map(([name, sequence]) => [name, numbersOf(sequence)]);
  return JSON.stringify([model, text?.sha256, text?.start, threshold, seed, numbers]);
}

function numbersOf({ views, ...sequence }: SavedSequence): unknown {
  return [sequence, [...views]];
}
