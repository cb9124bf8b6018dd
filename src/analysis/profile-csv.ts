import type { TokenNorms } from './measures/diagnostics.ts';
import { layerMeasureNames } from './measures/layer-fields.ts';
import type { LayerMeasures } from './measures/layer-fields.ts';
import { cellsOf } from './measures/table.ts';
import { measureNames, sequenceNames } from './report.ts';
import type { LayerReport, Report, ViewLayerReport } from './report.ts';

/** The columns after the measures: which run a row belongs to. */
const runColumns = ['model', 'revision', 'text', 'window_start', 'tokens', 'seed', 'threshold'] as const;

type Field = string | number | null;

/** The columns of a layer's token norms. */
const normColumns = ['first', 'median', 'max', 'max_token'] as const satisfies readonly (keyof TokenNorms)[];

/**
 * profile.csv: a header and a row per layer and sequence, comma-separated, LF at every line's end. The measures have
 * the names that they have in report.json; null is an empty field. Then come the norms of tokens, the first component and
 * whatever else was asked for; `view`, where views were, and a row for each of them. The last columns say which run a row
 * belongs to, so that the files of several runs can be put together. Fields are quoted where RFC 4180 asks for it.
 */
export function profileCsv(report: Report): string {
  const { model, text, seed, threshold, sequences, measured } = report;
  const first = sequences.real.layers[0]!;
  const names = layerMeasureNames.filter((name) => first[name] !== undefined);
  const hasNorms = first.tokens !== undefined;
  const rows = sequenceNames.flatMap((name) => {
    const { ids, layers, views = {} } = sequences[name];
    const run: Record<(typeof runColumns)[number], Field> = {
      model: model.id,
      revision: model.revision,
      text: text && text.source,
      window_start: text && text.start,
      tokens: ids.length,
      seed,
      threshold,
    };
    const shown: (readonly [view: string, layers: readonly ViewLayerReport[]])[] = [
      ['all', layers.map((layer) => ({ rows: ids.length, columns: model.width, ...layer }))],
      ...Object.entries(views).map(([view, { layers: ofView }]) => [view, ofView] as const),
    ];
    return shown.flatMap(([view, ofView]) =>
      ofView.map((own): Field[] => {
        const layer: Partial<LayerReport> = 'same_as' in own ? layers[own.layer]! : own;
        const { tokens } = layers[own.layer]!;
        return [
          name,
          own.layer,
          ...measureNames.map((measure) => layer[measure] ?? null),
          ...(hasNorms ? normColumns.map((column) => tokens![column]) : []),
          ...cellsOf(names, [], layer as LayerMeasures).map(({ value }) => value),
          ...(measured ? [view] : []),
          ...runColumns.map((column) => run[column]),
        ];
      }),
    );
  });
  const header: Field[] = [
    'sequence',
    'layer',
    ...measureNames,
    ...(hasNorms ? normColumns.map((column) => `token_norm_${column}`) : []),
    ...cellsOf(names, [], {}).map(({ key }) => key),
    ...(measured ? ['view'] : []),
    ...runColumns,
  ];
  return [header, ...rows].map((fields) => `${fields.map(quoted).join(',')}\n`).join('');
}

function quoted(field: Field): string {
  const text = String(field ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
