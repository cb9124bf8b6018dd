import type { LayerDimensions } from './dimensions.ts';
import { layerNumbers, partsOf } from './layer-numbers.ts';
import type { LayerMeasurements } from './measures/layer-fields.ts';
import type { SequenceGroup } from './profile-sequences.ts';
import { few } from './quantities.ts';
import type { HookReport, SequenceReport, SequenceReports, ViewLayerReport } from './report.ts';
import type { ViewName } from './views.ts';

/** How a number varies over the sequences of a group. Sequences in which it is null are left out. */
export interface BandOfNumber {
  min: number;
  /** The mean of the middle two for an even count. */
  median: number;
  max: number;
  /**
   * The part of the group's sequences, other than the text itself, whose number is larger than the text's; null if the
   * text has none.
   */
  share_above: number | null;
}

/** By the names that the numbers have in profile.csv; null if the number is null in every sequence. */
export interface BandOfLayer extends Record<keyof LayerDimensions, BandOfNumber | null> {
  layer: number | null;
  [measure: string]: BandOfNumber | number | null;
}

/** How the numbers of every layer vary over the sequences of a group. */
export interface Band {
  /** What its sequences are, and their blocks. */
  kind: SequenceGroup['kind'];
  block: number | null;
  /** Their names in `sequences`. */
  sequences: string[];
  /** The band of the means of the maximum log-softmax; null if the model gives no logits. */
  max_log_softmax_mean: BandOfNumber | null;
  /** The band of the means of the loss; null if the model gives no logits. */
  loss_mean?: BandOfNumber | null;
  layers: BandOfLayer[];
  /** Only where views are asked for. */
  views?: Partial<Record<ViewName, { layers: BandOfLayer[] }>>;
  /** Only where named activations are asked for. */
  hooks?: Record<string, BandOfLayer[]>;
}

/** `44–48 (median 46)`; one number where all are the same, and a dash where there is none. */
export function bandWords(band: BandOfNumber | null): string {
  if (band === null) return '–';
  const { min, median, max } = band;
  return few(min) === few(max) ? few(min) : `${few(min)}–${few(max)} (median ${few(median)})`;
}

/** The bands of a report, one for each group of its sequences. */
export function bandsOf(sequences: SequenceReports, groups: readonly SequenceGroup[]): Record<string, Band> {
  return Object.fromEntries(groups.map((group) => [group.name, bandOf(sequences, group)]));
}

function bandOf(sequences: SequenceReports, { kind, block, sequences: names }: SequenceGroup): Band {
  const { real } = sequences;
  const overLayers = (layersOf: (sequence: SequenceReport) => readonly NumberedLayer[]): BandOfLayer[] =>
    layersOf(real).map((own, place) => bandOfLayer(names, place, own, (name) => layersOf(sequences[name]!)));
  const ofMeans = (meanOf: (sequence: SequenceReport) => number | null) =>
    bandOfNumber(
      names.map((name) => ({ isReal: name === 'real', value: meanOf(sequences[name]!) })),
      meanOf(real),
    );
  const views = Object.keys(real.views ?? {}) as ViewName[];
  const hooks = Object.keys(real.hooks ?? {});
  return {
    kind,
    block,
    sequences: [...names],
    max_log_softmax_mean: ofMeans(({ max_log_softmax: maxima }) => maxima && maxima.mean),
    loss_mean: ofMeans(({ loss = null }) => loss && loss.mean),
    layers: overLayers(({ layers }) => layers),
    ...(views.length > 0 && {
      views: Object.fromEntries(
        views.map((view) => [view, { layers: overLayers((sequence) => viewLayers(sequence, view)) }]),
      ),
    }),
    ...(hooks.length > 0 && {
      hooks: Object.fromEntries(
        hooks.map((hook) => [hook, overLayers((sequence) => sequence.hooks![hook]!)]),
      ),
    }),
  };
}

/** A layer or a named activation, or what a view has of one. */
type NumberedLayer = Partial<LayerMeasurements> & Pick<HookReport, 'layer'>;

/** A view's layers; one that equals the layer itself is that. The norms of tokens do not belong to a view. */
function viewLayers({ layers, views }: SequenceReport, view: ViewName): NumberedLayer[] {
  return views![view]!.layers.map((own: ViewLayerReport) => {
    if (!('same_as' in own)) return own;
    const whole = { ...layers[own.layer]! };
    delete whole.tokens;
    return whole;
  });
}

function bandOfLayer(
  names: readonly string[],
  place: number,
  real: NumberedLayer,
  layersOf: (name: string) => readonly NumberedLayer[],
): BandOfLayer {
  const parts = partsOf(real);
  const members = names.map((name) => layerNumbers(layersOf(name)[place]!, parts));
  const bands = layerNumbers(real, parts).flatMap(({ key, value, isPlace }, column) => {
    if (isPlace) return [];
    const numbers = members.map((member, index) => ({
      isReal: names[index] === 'real',
      value: member[column]!.value,
    }));
    return [[key, bandOfNumber(numbers, value)] as const];
  });
  return { layer: real.layer, ...Object.fromEntries(bands) } as BandOfLayer;
}

/** The median, the mean of the middle two for an even count. @param values at least one */
export function middleOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle]!;
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2;
}

/**
 * The band of one number.
 * @param numbers of the sequences
 * @param real the text's own
 */
export function bandOfNumber(
  numbers: readonly { readonly isReal: boolean; readonly value: number | null }[],
  real: number | null,
): BandOfNumber | null {
  const others = numbers.filter((it) => !it.isReal).flatMap(({ value }) => (value === null ? [] : [value]));
  const sorted = numbers.flatMap(({ value }) => (value === null ? [] : [value])).sort((a, b) => a - b);
  if (sorted.length === 0) return null;
  const above = others.filter((value) => real !== null && value > real).length;
  return {
    min: sorted[0]!,
    median: middleOf(sorted),
    max: sorted.at(-1)!,
    share_above: real === null ? null : others.length === 0 ? 0 : above / others.length,
  };
}
