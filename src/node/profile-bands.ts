import { bandWords } from '../analysis/bands.ts';
import type { Band, BandOfLayer, BandOfNumber } from '../analysis/bands.ts';
import { layerNumbers, partsOf } from '../analysis/layer-numbers.ts';
import type { LayerMeasurements } from '../analysis/measures/layer-fields.ts';
import { few, formatPercent } from '../analysis/quantities.ts';
import type { Report } from '../analysis/report.ts';
import { formatTable } from './table.ts';

type NumberedLayer = LayerMeasurements & { readonly layer: number | null };

/**
 * A row for each layer: the text's effective dimension beside its bands over shuffles, blocks and windows, and which part of
 * the other sequences has a larger one.
 * @param of which of a band's layers these are
 */
export function bandTable(
  real: readonly NumberedLayer[],
  bands: Readonly<Record<string, Band>>,
  of: (band: Band) => readonly BandOfLayer[] = ({ layers }) => layers,
): string {
  const groups = Object.entries(bands);
  const header = [
    ...['layer', 'effective', 'rank', '% of rank'],
    ...groups.flatMap(() => ['effective', '> real']),
  ];
  const rows = real.map(
    ({ layer, effective_dimension: dimension, rank, percent_of_rank: percent }, place) => [
      String(layer ?? '-'),
      String(dimension),
      String(rank),
      formatPercent(percent),
      ...groups.flatMap(([, band]) => {
        const { effective_dimension: own } = of(band)[place]!;
        return [bandWords(own), shareAbove(own)];
      }),
    ],
  );
  return formatTable(header, rows, [
    ['', 1],
    ['real', 3],
    ...groups.map(([name, { sequences }]) => [titleOf(name, sequences.length), 2] as const),
  ]);
}

/** With --wide: every other number of every layer with its bands. */
export function wideBandTable({ sequences, bands = {} }: Report): string {
  const { layers } = sequences.real;
  const parts = partsOf(layers[0]!);
  const groups = Object.entries(bands);
  const rows = layers.flatMap((layer, place) =>
    layerNumbers(layer, parts).flatMap(({ key, value, isPlace }) => {
      if (isPlace || value === null || LEFT_OUT.includes(key)) return [];
      return [
        [
          String(layer.layer),
          key,
          few(value),
          ...groups.map(([, band]) => bandWords(band.layers[place]![key] as BandOfNumber | null)),
        ],
      ];
    }),
  );
  const header = [
    ...['layer', '', 'real'],
    ...groups.map(([name, { sequences: members }]) => titleOf(name, members.length)),
  ];
  return `\nThe numbers of each layer, and their bands.\n\n${formatTable(header, rows)}`;
}

/** The numbers that this table leaves out: those of the first table, what follows from them, and the tolerances of ranks. */
const LEFT_OUT: readonly string[] = [
  'effective_dimension',
  'effective_index',
  'rank_tolerance',
  'near_rank_tolerance',
  'percent_of_rank',
  'components',
  'notebook_percent',
];

function shareAbove(band: BandOfNumber | null): string {
  const share = band && band.share_above;
  return share === null ? '–' : `${few(100 * share, 3)}%`;
}

/** `block_16` of four: `block 16 × 4`. */
function titleOf(name: string, sequences: number): string {
  return `${name.replaceAll('_', ' ')} × ${sequences}`;
}
