import { sequenceNames } from '../analysis/report.ts';
import type { Report, SequenceName } from '../analysis/report.ts';
import { tokenPieces } from '../analysis/token-pieces.ts';
import { tokensPage, visible } from '../analysis/tokens-page.ts';
import type { Tokenizer } from '../engine/tokenizer.ts';

/** The file of a sequence's coloured tokens. */
export function tokensFile(name: SequenceName): string {
  return `tokens-${name}.html`;
}

/**
 * The tokens of both sequences, coloured by their largest log-softmax, by the names of their files.
 * @param tokenizer null if none can be read: the ids are shown
 * @returns nothing where the model gives no logits
 */
export function tokensPages(report: Report, tokenizer: Tokenizer | null): Record<string, string> {
  const { text, model, sequences } = report;
  return Object.fromEntries(
    sequenceNames.flatMap((name) => {
      const { ids, max_log_softmax: softmax } = sequences[name];
      if (!softmax) return [];
      const page = tokensPage({
        model: model.id,
        sequence: name,
        source: text
          ? `Tokens ${text.start} to ${text.start + text.length - 1} of ${text.source}`
          : 'Token ids as they were given',
        ids,
        pieces: tokenizer && tokenPieces(tokenizer, ids),
        maxLogSoftmax: softmax.values,
      });
      return [[tokensFile(name), page]];
    }),
  );
}

/** The window as text, real and shuffled, with what would act on a terminal made visible. */
export function describeText(report: Report, tokenizer: Tokenizer): string {
  return sequenceNames
    .map((name) => `\n${name} text:\n\n${visible(tokenizer.decode(report.sequences[name].ids))}\n`)
    .join('');
}
