import { few, fixed } from '../analysis/quantities.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { LayerReport, SequenceName } from '../analysis/report.ts';
import { create } from './elements.ts';
import type { PageRun } from './page-run.ts';
import { shownToken } from './token-strip.ts';

/** One line for each thing to say. */
type Fact = readonly [
  title: string,
  of: (layer: LayerReport, word: (token: number) => string) => readonly string[],
];

/** A blank at which a line does not break: a token's own stays with it. */
const NO_BREAK = '\u00a0';

const percent = (share: number | null | undefined) =>
  share === null || share === undefined ? '–' : `${fixed(100 * share, 1)}%`;

/** What a layer's number depends on: one token or dimension may hold most of the variance. */
const facts: readonly Fact[] = [
  ['effective dimension', (layer) => [`${layer.effective_dimension} of rank ${layer.rank}`]],
  ['variance in component 1', ({ component_1: first }) => [percent(first?.share)]],
  [
    'tokens that carry it',
    ({ component_1: first }, word) =>
      (first?.tokens ?? []).map(({ token, share }) => `${percent(share)} ${word(token)}`),
  ],
  [
    'dimensions that carry it',
    ({ component_1: first }) =>
      (first?.dimensions ?? []).map(({ dimension, share }) => `${percent(share)} #${dimension}`),
  ],
  ['variance in the first token', ({ first_token_share: share }) => [percent(share)]],
  [
    'norms of tokens',
    ({ tokens }, word) =>
      tokens
        ? [
            `${few(tokens.first, 3)} first`,
            `${few(tokens.median, 3)} median`,
            `${few(tokens.max, 3)} largest, ${word(tokens.max_token)}`,
          ]
        : [],
  ],
];

/** Why the numbers of a layer are what they are, real next to shuffled. Shares are of the variance. */
export function layerDetails({ report, texts }: PageRun, layer: number): HTMLElement {
  const word = (name: SequenceName) => (token: number) => {
    const text = texts?.[name][token];
    return text === undefined
      ? `token ${token}`
      : `“${shownToken(text).replaceAll(' ', NO_BREAK)}” (${token})`;
  };
  const rows = facts.map(([title, of]) =>
    create(
      'tr',
      {},
      create('th', { scope: 'row' }, title),
      ...sequenceNames.map((name) => {
        const lines = of(report.sequences[name].layers[layer]!, word(name));
        const spans = lines.map((line) => create('span', { className: 'line' }, line));
        return create('td', {}, ...(spans.length === 0 ? ['–'] : spans));
      }),
    ),
  );
  const head = sequenceNames.map((name) => create('th', { scope: 'col', className: name }, name));
  return create(
    'table',
    { className: 'layer-details' },
    create('thead', {}, create('tr', {}, create('th', { scope: 'col' }, `layer ${layer}`), ...head)),
    create('tbody', {}, ...rows),
  );
}
