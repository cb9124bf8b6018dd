import type { ModelConfig } from './config.ts';
import { InputError } from './errors.ts';

/**
 * Checks a batch against the model: it can be done before any weight is read.
 * @param sequences token ids, each of the same length from 1 to the context and to the sliding window
 * @throws InputError for ids out of the vocabulary or lengths that do not suit
 */
export function checkSequences(
  { context, vocabulary, slidingWindow }: Pick<ModelConfig, 'context' | 'vocabulary' | 'slidingWindow'>,
  sequences: readonly Int32Array[],
): void {
  const length = sequences[0]?.length ?? 0;
  if (length === 0)
    throw new InputError('there are no tokens to run; give at least one', { code: 'text-empty' });
  if (sequences.some((sequence) => sequence.length !== length)) {
    throw new InputError('the sequences of one batch must have equal lengths', { code: 'lengths-unequal' });
  }
  if (length > context) {
    throw new InputError(`${length} tokens are more than the model's context of ${context}; take fewer`, {
      code: 'context-exceeded',
      subject: { kind: 'option', name: 'tokens' },
    });
  }
  if (slidingWindow !== undefined && length > slidingWindow) {
    throw new InputError(
      `${length} tokens are more than the model's sliding_window of ${slidingWindow}, and Laminar computes full attention only; take at most ${slidingWindow}`,
      { code: 'window-exceeded', subject: { kind: 'key', name: 'sliding_window' } },
    );
  }
  for (const sequence of sequences) {
    const position = sequence.findIndex((id) => id < 0 || id >= vocabulary);
    if (position >= 0) {
      throw new InputError(
        `token id ${sequence[position]} at position ${position} is not in the vocabulary of ${vocabulary}; use this model's own tokenizer`,
        { code: 'token-invalid' },
      );
    }
  }
}
