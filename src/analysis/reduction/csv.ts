import { csvText } from '../csv.ts';
import type { Column, Field } from '../csv.ts';
import type { CutReport, ReducedSequence, ReductionReport } from './report.ts';

/** What a row is made from: a cut of a sequence. */
interface Row {
  readonly report: ReductionReport;
  readonly name: string;
  readonly sequence: ReducedSequence;
  readonly cut: CutReport;
}

const ofCut = (key: string, of: (cut: CutReport) => Field): Column<Row> => ({
  key,
  of: ({ cut }) => of(cut),
});

const cutColumns: readonly Column<Row>[] = [
  { key: 'sequence', of: ({ name }) => name },
  ofCut('layer', ({ layer }) => layer),
  ofCut('asked', ({ asked }) => asked),
  ofCut('components', ({ components }) => components),
  ofCut('rank', ({ rank }) => rank),
  ofCut('explained_percent', (cut) => cut.explained_percent),
];

/** Which run a row belongs to, so that the files of several runs can be put together. */
const runColumns: readonly Column<Row>[] = [
  { key: 'model', of: ({ report }) => report.model.id },
  { key: 'revision', of: ({ report }) => report.model.revision },
  { key: 'text', of: ({ report }) => report.text && report.text.source },
  { key: 'window_start', of: ({ report }) => report.text && report.text.start },
  { key: 'tokens', of: ({ sequence }) => sequence.ids.length },
  { key: 'seed', of: ({ report }) => report.seed },
];

/** reduce.csv: a row for each cut of each sequence. Null is an empty field. */
export function reductionCsv(report: ReductionReport): string {
  const last = (cut: CutReport, layer: CutReport['layer']) =>
    cut.states.find((state) => state.layer === layer)?.relative_change ?? null;
  const columns: Column<Row>[] = [
    ...cutColumns,
    ofCut('kl_mean', ({ logits }) => logits && logits.kl.mean),
    ofCut('kl_max', ({ logits }) => logits && logits.kl.max),
    ofCut('max_log_softmax_change', ({ logits }) => logits && logits.log_softmax_change.max),
    ofCut('argmax_agreement', ({ logits }) => logits && logits.argmax_agreement),
    ofCut('loss', ({ loss }) => loss && loss.mean),
    { key: 'loss_without_cut', of: ({ sequence }) => sequence.loss && sequence.loss.mean },
    ofCut('loss_change', ({ loss }) => loss && loss.change),
    ofCut('change_of_residual_final', (cut) => last(cut, 'residual_final')),
    ofCut('change_of_last_state', (cut) => last(cut, report.model.layers)),
    ...runColumns,
  ];
  return csvText(columns, rowsOf(report));
}

/** state-changes.csv: a row for each state from a cut on. */
export function stateChangesCsv(report: ReductionReport): string {
  const rows = rowsOf(report).flatMap((row) => row.cut.states.map((state) => ({ ...row, state })));
  return csvText<(typeof rows)[number]>(
    [
      ...cutColumns,
      { key: 'state', of: ({ state }) => state.layer },
      { key: 'relative_change', of: ({ state }) => state.relative_change },
      ...runColumns,
    ],
    rows,
  );
}

function rowsOf(report: ReductionReport): Row[] {
  return Object.entries(report.sequences).flatMap(([name, sequence]: [string, ReducedSequence]) =>
    sequence.cuts.map((cut): Row => ({ report, name, sequence, cut })),
  );
}
