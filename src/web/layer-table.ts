import { fixed, formatPercent } from '../analysis/quantities.ts';
import { layerMeasureNames } from '../analysis/measures/layer-fields.ts';
import type { LayerMeasures } from '../analysis/measures/layer-fields.ts';
import { cellsOf } from '../analysis/measures/table.ts';
import { sequenceNames } from '../analysis/report.ts';
import type { LayerReport, Report } from '../analysis/report.ts';
import { button, create } from './elements.ts';

type Column = readonly [title: string, value: (layer: LayerReport) => string];

const usualColumns: readonly Column[] = [
  ['effective', ({ effective_dimension: dimension }) => String(dimension)],
  ['rank', ({ rank }) => String(rank)],
  ['% of rank', ({ percent_of_rank: percent }) => formatPercent(percent)],
  ['participation', ({ participation_ratio: ratio }) => fixed(ratio, 1)],
  ['entropy', ({ entropy_rank: rank }) => fixed(rank, 1)],
  ['stable', ({ stable_rank: rank }) => fixed(rank, 2)],
];

/** The usual columns, and those of the measures that were asked for; one precision each. */
function columnsOf({ measured, sequences }: Report): readonly Column[] {
  const names = layerMeasureNames.filter((name) => measured?.measures.includes(name));
  const cellsAt = (layer: LayerReport) => cellsOf(names, [], layer as LayerMeasures);
  const asked = cellsAt(sequences.real.layers[0]!).map(({ title, decimals }, index): Column => [
    title,
    (layer) => fixed(cellsAt(layer)[index]!.value, decimals),
  ]);
  return [...usualColumns, ...asked];
}

/**
 * A row per layer, real next to shuffled.
 * @param onLayer called with the layer whose row header is pressed
 */
export function layerTable(report: Report, onLayer: (layer: number) => void): HTMLTableElement {
  const columns = columnsOf(report);
  const groups = sequenceNames.map((name) =>
    create('th', { scope: 'colgroup', colSpan: columns.length }, name),
  );
  const titles = sequenceNames.flatMap(() =>
    columns.map(([title], index) => create('th', { scope: 'col', className: edge(index) }, title)),
  );
  const body = report.sequences.real.layers.map(({ layer }) => {
    const chooser = button(String(layer), () => onLayer(layer), {
      title: `Show the spectrum of layer ${layer}`,
    });
    const cells = sequenceNames.flatMap((name) =>
      columns.map(([, value], index) =>
        create('td', { className: edge(index) }, value(report.sequences[name].layers[layer]!)),
      ),
    );
    const row = create('tr', {}, create('th', { scope: 'row' }, chooser), ...cells);
    row.dataset['layer'] = String(layer);
    return row;
  });
  const table = create(
    'table',
    {},
    create(
      'thead',
      {},
      create('tr', {}, create('th', { scope: 'col', rowSpan: 2 }, 'layer'), ...groups),
      create('tr', {}, ...titles),
    ),
    create('tbody', {}, ...body),
  );
  table.setAttribute('aria-describedby', 'table-note');
  return table;
}

/** The first column of a group has a line before it. */
const edge = (column: number) => (column === 0 ? 'first' : '');
