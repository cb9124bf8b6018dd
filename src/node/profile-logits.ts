import { bandWords } from '../analysis/bands.ts';
import type { Band } from '../analysis/bands.ts';
import { counted, fixed } from '../analysis/quantities.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { Report, SequenceReport } from '../analysis/report.ts';
import { formatTable } from './table.ts';

/** What the head says of a sequence, in one number. */
interface LogitsRow {
  readonly label: string;
  of(sequence: SequenceReport): number | null;
  band(band: Band): Parameters<typeof bandWords>[0];
}

const rows: readonly LogitsRow[] = [
  {
    label: 'max log-softmax: how sure the model is',
    of: ({ max_log_softmax: maxima }) => maxima && maxima.mean,
    band: (band) => band.max_log_softmax_mean,
  },
  {
    label: 'loss of the next token: how wrong it is',
    of: ({ loss = null }) => loss && loss.mean,
    band: (band) => band.loss_mean ?? null,
  },
];

/**
 * The means of the maximum log-softmax and of the loss, for the text and shuffled, or over the bands of a report that has
 * them; '' where the model gives no logits.
 */
export function describeLogits({ sequences, bands, model }: Report): string {
  const shown = rows.filter(({ of }) => of(sequences.real) !== null);
  if (shown.length === 0) return '';
  const columns = bands ? ['real', ...Object.keys(bands)] : [...sequenceNames];
  const cells = ({ of, band }: LogitsRow) =>
    bands
      ? [fixed(of(sequences.real), 2), ...Object.values(bands).map((group) => bandWords(band(group)))]
      : sequenceNames.map((name) => fixed(of(sequences[name]), 2));
  const table = formatTable(
    ['mean, in nats', ...columns],
    shown.map((row) => [row.label, ...cells(row)]),
  );
  const guess = `a guess among ${counted(model.vocabulary, 'token')} has a loss of ${fixed(Math.log(model.vocabulary), 2)}`;
  return `\n${table}${guess}\n`;
}
