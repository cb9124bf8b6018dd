import type { LayerReport, Report } from '../analysis/report.ts';
import { sequenceNames } from '../analysis/report.ts';
import { few, fixed } from '../analysis/quantities.ts';
import { formatTable } from './table.ts';

/**
 * The second table of a profile, with --wide: for each layer and sequence the norms of its tokens, and who carries the
 * first component.
 * @param textOf a token id as text; null if no tokenizer is at hand
 */
export function describeComponents(report: Report, textOf: ((id: number) => string) | null): string {
  const header = [
    'layer',
    '',
    'first',
    'median',
    'max',
    'of token',
    'PC1',
    'token 0',
    'PC1 tokens',
    'PC1 dims',
  ];
  const rows = report.sequences.real.layers.flatMap(({ layer }) =>
    sequenceNames.map((name) => {
      const { layers, ids } = report.sequences[name];
      const word = (token: number) =>
        textOf ? `${token} ${JSON.stringify(textOf(ids[token]!))}` : `${token} (id ${ids[token]})`;
      return [String(layer), name, ...cells(layers[layer]!, word)];
    }),
  );
  return (
    '\nNorms of tokens; the shares of the first component (PC1) and of token 0 of the variance; and the tokens and ' +
    `dimensions that carry the first component.\n\n${formatTable(header, rows)}`
  );
}

function cells(
  { tokens, component_1: component = null, first_token_share: share = null }: LayerReport,
  word: (token: number) => string,
): string[] {
  const carriers = (items: readonly (readonly [string, number])[]) =>
    items.map(([name, part]) => `${name} ${fixed(part, 2)}`).join(', ');
  return [
    few(tokens?.first ?? null),
    few(tokens?.median ?? null),
    few(tokens?.max ?? null),
    tokens ? word(tokens.max_token) : '–',
    fixed(component && component.share, 3),
    fixed(share, 3),
    component ? carriers(component.tokens.map(({ token, share: part }) => [word(token), part])) : '–',
    component
      ? carriers(component.dimensions.map(({ dimension, share: part }) => [String(dimension), part]))
      : '–',
  ];
}
