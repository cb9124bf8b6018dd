import { parseJson } from '../../engine/files.ts';
import { reportAdvice, ReportFields } from './report-fields.ts';
import { layerMeasureNames } from '../measures/layer-fields.ts';
import { measureTable } from '../measures/table.ts';
import type { MeasureDefinition } from '../measures/table.ts';
import { measureNames } from '../dimensions.ts';

/** Numbers of a layer, by the names that they have in profile.csv; null if the report has null. */
export type LayerNumbers = Readonly<Record<string, number | null>>;

export interface SavedLayer {
  /** 0 is the embedding. */
  readonly layer: number;
  readonly numbers: LayerNumbers;
}

/** How one number of a layer varies over many sequences. */
export interface SavedBandNumber {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** The share of the sequences, without the text itself, that are above the text: from 0 to 1. */
  readonly share_above: number | null;
}

/** The bands of a layer, by the names of profile.csv. */
export interface SavedBandLayer {
  readonly layer: number;
  readonly numbers: ReadonlyMap<string, SavedBandNumber>;
}

/** How the numbers of every layer vary over sequences that differ by chance, or by the part of the text. */
export interface SavedBand {
  /** Names of its sequences. */
  readonly sequences: readonly string[];
  /** By the view's name; `all` is always there. */
  readonly views: ReadonlyMap<string, readonly SavedBandLayer[]>;
}

export interface SavedSequence {
  readonly ids: readonly number[];
  /** What made it, where the report says so: shuffled, block. */
  readonly kind: string | null;
  readonly seed: number | null;
  /** Tokens that stayed together when it was shuffled. */
  readonly block: number | null;
  /** Its own first token in the text, if that is not the report's. */
  readonly start: number | null;
  /** The mean of the maximum log-softmax, in nats. */
  readonly meanLogSoftmax: number | null;
  /** The mean loss of the next token, in nats. */
  readonly meanLoss: number | null;
  /**
   * By the view's name; `all` is always there. States 0 to L each, as far as the view measured them. Where a view
   * equals the state itself, its layer is the same object as in `all`.
   */
  readonly views: ReadonlyMap<string, readonly SavedLayer[]>;
}

/** A report.json as any version of Laminar wrote it, as far as runs are compared by it. */
export interface SavedReport {
  readonly laminar: string;
  readonly model: {
    readonly id: string;
    readonly revision: string | null;
    readonly architecture: string;
    readonly layers: number;
    readonly width: number;
    readonly dtype: string;
  };
  /** Its description. */
  readonly adapter: string;
  readonly text: { readonly source: string; readonly sha256: string; readonly start: number } | null;
  readonly threshold: number;
  readonly seed: number;
  readonly withoutDimensions: readonly number[];
  readonly sequences: ReadonlyMap<string, SavedSequence>;
  /** By the name of the group: shuffled, block_16, window. Empty where there was one shuffle of one text. */
  readonly bands: ReadonlyMap<string, SavedBand>;
}

/**
 * Reads report.json's text.
 * @param source what to call it in messages
 * @throws FormatError if it is not JSON, or not a report; names the first field that is missing or of another kind
 */
export function readReport(text: string, source: string): SavedReport {
  return savedReport(parseJson(text, source, reportAdvice), source);
}

/**
 * Takes a report as JSON gives it, of this version or another: fields that are not known are passed over, those that an
 * older version did not write are null.
 * @throws FormatError as `readReport` does
 */
export function savedReport(value: unknown, source: string): SavedReport {
  const whole = new ReportFields(value, '', source);
  const model = whole.object('model');
  const layers = model.number('layers');
  const text = whole.optional('text');
  const sequences = whole.object('sequences');
  const names = ['real', 'shuffled', ...sequences.names().filter((name) => !isUsual(name))];
  return {
    laminar: whole.text('laminar'),
    model: {
      id: model.text('id'),
      revision: model.textOrNull('revision'),
      architecture: model.text('architecture'),
      layers,
      width: model.number('width'),
      dtype: model.text('dtype'),
    },
    adapter: whole.optional('adapter')?.textOrNull('description') ?? 'an adapter without a name',
    text: text && {
      source: text.text('source'),
      sha256: text.text('sha256'),
      start: text.number('start'),
    },
    threshold: whole.number('threshold'),
    seed: whole.number('seed'),
    withoutDimensions: whole.optional('measured')?.numbers('without_dimensions') ?? [],
    sequences: new Map(names.map((name) => [name, savedSequence(sequences.object(name), layers)])),
    bands: savedBands(whole.optional('bands')),
  };
}

const isUsual = (name: string) => name === 'real' || name === 'shuffled';

function savedSequence(sequence: ReportFields, blocks: number): SavedSequence {
  const layers = sequence.list('layers').map((layer) => savedLayer(layer));
  if (layers.length !== blocks + 1)
    throw sequence.fault('layers', `${blocks + 1} layers`, `${layers.length} layers`);
  const views = sequence.optional('views');
  const others = (views?.names() ?? []).map((name) => {
    const ofView = views!.object(name).list('layers');
    return [name, ofView.map((own) => viewLayer(own, layers))] as const;
  });
  return {
    ids: sequence.numbers('ids'),
    kind: sequence.textOrNull('kind'),
    seed: sequence.numberOrNull('seed'),
    block: sequence.numberOrNull('block'),
    start: sequence.numberOrNull('start'),
    meanLogSoftmax: sequence.optional('max_log_softmax')?.numberOrNull('mean') ?? null,
    meanLoss: sequence.optional('loss')?.numberOrNull('mean') ?? null,
    views: new Map([['all', layers], ...others]),
  };
}

function savedLayer(layer: ReportFields): SavedLayer {
  const dimension = layer.number('effective_dimension');
  const rank = layer.number('rank');
  const numbers = { ...numbersOf(layer), ...percentsOf(dimension, rank) };
  return { layer: layer.number('layer'), numbers };
}

/** A view that equals the layer itself says so; one with too few rows or columns has no numbers. */
function viewLayer(own: ReportFields, layers: readonly SavedLayer[]): SavedLayer {
  const layer = own.number('layer');
  if (own.textOrNull('same_as') === 'all') return layers[layer] ?? { layer, numbers: {} };
  const [dimension, rank] = [own.numberOrNull('effective_dimension'), own.numberOrNull('rank')];
  const percents = dimension === null || rank === null ? {} : percentsOf(dimension, rank);
  return { layer, numbers: { ...numbersOf(own), ...percents } };
}

/**
 * Both percents, from the counts: before `notebook_percent` was added, reports held that percent under the name of the
 * other.
 */
export function percentsOf(dimension: number, rank: number) {
  return {
    percent_of_rank: rank === 0 ? null : (100 * dimension) / rank,
    notebook_percent: rank === 0 ? null : (100 * (dimension - 1)) / rank,
  };
}

function numbersOf(layer: ReportFields): LayerNumbers {
  const dimensions = measureNames.flatMap((name): (readonly [string, number | null])[] =>
    layer.has(name) ? [[name, layer.numberOrNull(name)]] : [],
  );
  const norms = (['first', 'median', 'max', 'max_token'] as const).flatMap(
    (name): (readonly [string, number | null])[] => {
      const tokens = layer.optional('tokens');
      return tokens?.has(name) ? [[`token_norm_${name}`, tokens.numberOrNull(name)]] : [];
    },
  );
  const measures = layerMeasureNames.flatMap((name) =>
    layer.has(name) ? cellNumbers(measureTable[name] as MeasureDefinition<unknown>, layer.value(name)) : [],
  );
  return Object.fromEntries([...dimensions, ...norms, ...measures]);
}

/** A measure's numbers by their columns; what another version wrote in another shape is left out. */
function cellNumbers(
  { cells }: MeasureDefinition<unknown>,
  value: unknown,
): (readonly [string, number | null])[] {
  return (typeof cells === 'function' ? cells([]) : cells).flatMap(({ key, of }) => {
    try {
      const number: unknown = of(value);
      return number === null || Number.isFinite(number) ? [[key, number as number | null] as const] : [];
    } catch {
      return [];
    }
  });
}

function savedBands(bands: ReportFields | null): Map<string, SavedBand> {
  const groups = (bands?.names() ?? []).map((name) => {
    const group = bands!.object(name);
    const views = group.optional('views');
    const others = (views?.names() ?? []).map((view) => [view, bandLayers(views!.object(view))] as const);
    const all = ['all', bandLayers(group)] as const;
    return [name, { sequences: group.texts('sequences'), views: new Map([all, ...others]) }] as const;
  });
  return new Map(groups);
}

function bandLayers(fields: ReportFields): SavedBandLayer[] {
  return fields.list('layers').map((layer) => {
    const measures = layer.names().filter((measure) => measure !== 'layer');
    const numbers = measures.flatMap((measure) => {
      const band = layer.optional(measure);
      return band ? [[measure, bandNumber(band)] as const] : [];
    });
    return { layer: layer.number('layer'), numbers: new Map(numbers) };
  });
}

function bandNumber(band: ReportFields): SavedBandNumber {
  return {
    min: band.number('min'),
    median: band.number('median'),
    max: band.number('max'),
    share_above: band.numberOrNull('share_above'),
  };
}
