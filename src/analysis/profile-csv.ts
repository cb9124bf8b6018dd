import { csvText } from './csv.ts';
import type { Column } from './csv.ts';
import { layerNumbers, partsOf } from './layer-numbers.ts';
import type { LayerReport, Report, SequenceReport, ViewLayerReport } from './report.ts';

/** What a row is made from: a layer of a sequence in one view. */
interface Row {
  readonly report: Report;
  /** The sequence's name. */
  readonly name: string;
  readonly sequence: SequenceReport;
  readonly view: string;
  /** The layer in the view `all`. */
  readonly layer: LayerReport;
  /** What the view measured; the layer itself where the view is the same. */
  readonly measured: Partial<LayerReport>;
}

/**
 * The columns after the measures: which run a row belongs to. New ones are added at the end. `window_start` and `seed`
 * are the sequence's own, if it has some.
 */
const runColumns: readonly Column<Row>[] = [
  { key: 'model', of: ({ report }) => report.model.id },
  { key: 'revision', of: ({ report }) => report.model.revision },
  { key: 'text', of: ({ report }) => report.text && report.text.source },
  { key: 'window_start', of: ({ report, sequence }) => sequence.start ?? (report.text && report.text.start) },
  { key: 'tokens', of: ({ sequence }) => sequence.ids.length },
  { key: 'seed', of: ({ report, sequence }) => sequence.seed ?? report.seed },
  { key: 'threshold', of: ({ report }) => report.threshold },
];

/** The columns that say which sequence a row is of, if a report has more than the usual two. */
const originColumns: readonly Column<Row>[] = [
  { key: 'kind', of: ({ sequence }) => sequence.kind ?? null },
  { key: 'block', of: ({ sequence }) => sequence.block ?? null },
];

/** Every column of a report's table, in order. */
function columnsOf({ measured, sampling, sequences }: Report): Column<Row>[] {
  const parts = partsOf(sequences.real.layers[0]!);
  return [
    { key: 'sequence', of: ({ name }) => name },
    { key: 'layer', of: ({ layer }) => layer.layer },
    ...layerNumbers({}, parts).map(({ key }, index): Column<Row> => ({
      key,
      of: ({ layer, measured: own }) =>
        layerNumbers({ ...own, ...(layer.tokens && { tokens: layer.tokens }) }, parts)[index]!.value,
    })),
    ...(measured ? [{ key: 'view', of: ({ view }: Row) => view }] : []),
    ...(sampling ? originColumns : []),
    ...runColumns,
  ];
}

/**
 * profile.csv: a header and a row per layer and sequence, comma-separated, LF at every line's end. The measures have
 * the names that they have in report.json; null is an empty field. Then come the norms of tokens, the first component and
 * whatever else was asked for; `view`, where views were, and a row for each of them; `kind` and `block`, where there are more
 * sequences than two. The last columns say which run a row belongs to, so that the files of several runs can be put together.
 * Fields are quoted where RFC 4180 asks for it.
 */
export function profileCsv(report: Report): string {
  const rows = Object.entries(report.sequences).flatMap(([name, sequence]) => {
    const { layers, views = {} } = sequence;
    const shown: (readonly [view: string, layers: readonly ViewLayerReport[]])[] = [
      ['all', layers.map((layer) => ({ rows: sequence.ids.length, columns: report.model.width, ...layer }))],
      ...Object.entries(views).map(([view, ofView]) => [view, ofView.layers] as const),
    ];
    return shown.flatMap(([view, ofView]) =>
      ofView.map((own): Row => {
        const layer = layers[own.layer]!;
        return { report, name, sequence, view, layer, measured: 'same_as' in own ? layer : own };
      }),
    );
  });
  return csvText(columnsOf(report), rows);
}
