import type { TokenIds } from './token-ids.ts';

/** What makes token ids of a word. */
export interface WordModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  /**
   * Adds the ids of a word.
   * @returns undefined if that is done, else the rest of the work, in steps that take milliseconds
   */
  encode(word: string, ids: TokenIds): Iterable<void> | undefined;
}
