import { counted, fixed } from '../analysis/quantities.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { Report, SequenceReport } from '../analysis/report.ts';
import { create } from './elements.ts';

/** A number that the text and its shuffled tokens are compared by; undefined if the run has it for neither. */
type Comparison = readonly [title: string, decimals: number, of: (sequence: SequenceReport) => number | null];

const comparisons: readonly Comparison[] = [
  [
    'dimensions, mean of layers',
    1,
    ({ layers }) => layers.reduce((sum, layer) => sum + layer.effective_dimension, 0) / layers.length,
  ],
  ['max log-softmax: how sure', 2, ({ max_log_softmax: softmax }) => softmax?.mean ?? null],
  ['loss: how wrong', 2, ({ loss }) => loss?.mean ?? null],
];

/** What shuffling changes, in three numbers: the first thing to see of a run. */
export function findingTable({ model, sequences }: Report): HTMLElement {
  const known = comparisons.filter(([, , of]) => sequenceNames.some((name) => of(sequences[name]) !== null));
  const hasLoss = sequenceNames.some((name) => (sequences[name].loss ?? null) !== null);
  const guess = fixed(Math.log(model.vocabulary), 2);
  return create(
    'div',
    {},
    create(
      'table',
      {},
      create(
        'thead',
        {},
        create('tr', {}, create('td'), ...known.map(([title]) => create('th', { scope: 'col' }, title))),
      ),
      create(
        'tbody',
        {},
        ...sequenceNames.map((name) =>
          create(
            'tr',
            {},
            create('th', { scope: 'row', className: name }, name),
            ...known.map(([, decimals, of]) => create('td', {}, fixed(of(sequences[name]), decimals))),
          ),
        ),
      ),
    ),
    ...(hasLoss
      ? [
          create(
            'p',
            { className: 'note' },
            `In nats per token. A guess among ${counted(model.vocabulary, 'token')} has a loss of ${guess}.`,
          ),
        ]
      : []),
  );
}
