import { unlessAborted } from './abort.ts';
import type { ModelFiles } from './files.ts';

/** What a long text is tokenised with. */
export interface EncodeOptions {
  /** Heard within a fraction of a second. */
  readonly signal?: AbortSignal | undefined;
  /** Told of the characters that are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Text to token ids and back, as the model's own tokenizer does it. */
export interface Tokenizer {
  /** The ids of the whole text, with no special token added before, after or between. */
  encode(text: string): number[];
  /**
   * The same ids of a text of any length, in slices of time, so that a signal is heard and others have a turn.
   * @returns [n]
   * @throws the signal's reason if it aborts
   */
  encodeLong(text: string, options?: EncodeOptions): Promise<Int32Array<ArrayBuffer>>;
  /**
   * The text of ids, special tokens included, spaces as they are: what Python's decode(ids) gives. Bytes that are not
   * whole characters become U+FFFD; ids that no token has give nothing.
   * @throws InputError if an id is not a whole number from 0 on
   */
  decode(ids: ArrayLike<number>): string;
  /**
   * One token's own text, to be shown; a part of a character is U+FFFD, and a space that begins a word is kept.
   * @throws InputError if the id is not a whole number from 0 on
   */
  tokenText(id: number): string;
}

/**
 * Loads tokenizer.json, or vocab.json with merges.txt, and tokenizer_config.json where there is one.
 * @throws FileError if the model has no tokenizer that can be read, FormatError if a file of it cannot be used, the signal's
 * reason if it aborts.
 */
export async function loadTokenizer(
  files: ModelFiles,
  { signal }: Pick<EncodeOptions, 'signal'> = {},
): Promise<Tokenizer> {
  signal?.throwIfAborted();
  // It is not needed for token ids, and a browser does not fetch it then.
  const [{ readDescription }, { createTokenizer }] = await Promise.all([
    import('./tokenizer/files.ts'),
    import('./tokenizer/pipeline.ts'),
  ]);
  return createTokenizer(await unlessAborted(readDescription(files), signal));
}
