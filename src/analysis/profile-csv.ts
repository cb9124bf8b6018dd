import { measureNames, sequenceNames } from './report.ts';
import type { Report } from './report.ts';

/** The columns after the measures: which run a row belongs to. */
const runColumns = ['model', 'revision', 'text', 'window_start', 'tokens', 'seed', 'threshold'] as const;

type Field = string | number | null;

/**
 * profile.csv: a header and a row per layer and sequence, comma-separated, LF at every line's end. The measures have
 * the names that they have in report.json; null is an empty field. The last columns say which run a row belongs to, so
 * that the files of several runs can be put together. Fields are quoted where RFC 4180 asks for it.
 */
export function profileCsv({ model, text, seed, threshold, sequences }: Report): string {
  const rows = sequenceNames.flatMap((name) => {
    const { ids, layers } = sequences[name];
    const run: Record<(typeof runColumns)[number], Field> = {
      model: model.id,
      revision: model.revision,
      text: text && text.source,
      window_start: text && text.start,
      tokens: ids.length,
      seed,
      threshold,
    };
    return layers.map((layer): Field[] => [
      name,
      layer.layer,
      ...measureNames.map((measure) => layer[measure]),
      ...runColumns.map((column) => run[column]),
    ]);
  });
  const header: Field[] = ['sequence', 'layer', ...measureNames, ...runColumns];
  return [header, ...rows].map((fields) => `${fields.map(quoted).join(',')}\n`).join('');
}

function quoted(field: Field): string {
  const text = String(field ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
