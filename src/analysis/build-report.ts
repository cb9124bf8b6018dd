import { InputError } from '../engine/errors.ts';
import { bandsOf } from './bands.ts';
import type { Band } from './bands.ts';
import { measureNames } from './dimensions.ts';
import { freedmanDiaconis } from './histogram.ts';
import type { HookMeasurements } from './hook-spectra.ts';
import { allComparisons } from './measures/comparisons.ts';
import { layerMeasureNames } from './measures/layer-fields.ts';
import type { LayerMeasurements, ViewLayer } from './measures/layer-fields.ts';
import type { ViewRequest } from './measures/measure-views.ts';
import { isUsual, sequenceGroups } from './profile-sequences.ts';
import type { Sampling, SequenceOrigin } from './profile-sequences.ts';
import { laminarVersion } from './report.ts';
import type {
  AdapterSummary,
  HookReport,
  MeasuredReport,
  ModelReport,
  Report,
  SamplingReport,
  SequenceReport,
  SequenceReports,
  SequencesBy,
  TextReport,
  Timings,
} from './report.ts';
import type { ViewName } from './views.ts';

/** What one sequence's run gave. */
export interface SequenceMeasurements {
  /** Read where more sequences are asked for than the usual. */
  readonly origin?: SequenceOrigin;
  /** [T] */
  readonly ids: ArrayLike<number>;
  /** [T]; null if the model gives no logits. */
  readonly maxLogSoftmax: ArrayLike<number> | null;
  /** [T − 1]; null if the model gives no logits. */
  readonly loss?: ArrayLike<number> | null;
  /** States 0 to L, in order. */
  readonly layers: readonly LayerMeasurements[];
  /** The same of views other than `all`. */
  readonly views?: Readonly<Partial<Record<ViewName, readonly ViewLayer[]>>>;
  /** Named activations, by their names with * for the layer's number. */
  readonly hooks?: HookMeasurements;
}

/** What a report is built from. */
export interface ReportParts {
  readonly model: ModelReport;
  readonly adapter: AdapterSummary;
  readonly text: TextReport | null;
  readonly threshold: number;
  readonly seed: number;
  readonly request?: ViewRequest | undefined;
  readonly sampling?: Sampling | undefined;
  readonly sequences: SequencesBy<SequenceMeasurements>;
  readonly timings: Timings;
}

/**
 * Puts report.json together, its fields in the order that the contract names them; only those fields are copied, so the
 * objects that are handed in may have more.
 * @throws InputError if the parts do not fit together: layers missing, sequences of different lengths, empty ones
 */
export function buildReport(parts: ReportParts): Report {
  const { model, adapter, text, timings } = parts;
  const { real, ...others } = parts.sequences;
  for (const [name, { ids }] of Object.entries(others)) {
    if (real.ids.length !== ids.length)
      throw new InputError(
        `the real sequence has ${real.ids.length} tokens and the ${name} one ${ids.length}; give equal lengths`,
        { code: 'lengths-unequal', subject: { kind: 'sequence', name } },
      );
  }
  const sampling = parts.sampling && !isUsual(parts.sampling) ? parts.sampling : undefined;
  const build = (name: string, measured: SequenceMeasurements) =>
    buildSequence(name, measured, model.layers, sampling !== undefined);
  const sequences: SequenceReports = {
    real: build('real', real),
    shuffled: build('shuffled', others.shuffled),
  };
  for (const [name, measured] of Object.entries(others)) sequences[name] ??= build(name, measured);
  return {
    laminar: laminarVersion,
    model: {
      id: model.id,
      architecture: model.architecture,
      layers: model.layers,
      width: model.width,
      heads: model.heads,
      vocabulary: model.vocabulary,
      context: model.context,
      parameters: model.parameters,
      dtype: model.dtype,
      revision: model.revision,
    },
    adapter: {
      vendor: adapter.vendor,
      architecture: adapter.architecture,
      description: adapter.description,
      software: adapter.software,
    },
    text: text && {
      source: text.source,
      sha256: text.sha256,
      tokens: text.tokens,
      start: text.start,
      length: text.length,
      preview: { first: text.preview.first, last: text.preview.last },
    },
    threshold: parts.threshold,
    seed: parts.seed,
    ...(parts.request && { measured: measuredReport(parts.request) }),
    ...(sampling && { sampling: samplingReport(sampling) }),
    sequences,
    ...(sampling && { bands: bandsOfReport(sequences, sampling) }),
    timings_ms: {
      load: timings.load,
      forward: timings.forward,
      spectrum: timings.spectrum,
      total: timings.total,
    },
  };
}

/** What a request is called in a report. */
export function measuredReport(request: ViewRequest): MeasuredReport {
  const { measures, views, listedDimensions, comparisons = [] } = request;
  return {
    measures: [...measures, ...comparisons],
    views: [...views],
    without_dimensions: [...listedDimensions],
  };
}

/** What a sampling is called in a report. */
export function samplingReport({ shuffles, shuffleBlocks, windows }: Sampling): SamplingReport {
  return { shuffles, shuffle_blocks: [...shuffleBlocks], windows };
}

function bandsOfReport(sequences: SequenceReports, sampling: Sampling): Record<string, Band> {
  const { real } = sequences;
  const origins = Object.entries(sequences).map(([name, { kind = 'real', seed, block, start }]) => ({
    name,
    kind,
    seed: seed ?? null,
    block: block ?? null,
    start: start ?? null,
  }));
  return bandsOf(sequences, sequenceGroups(origins, sampling, real.ids.length));
}

function buildSequence(
  name: string,
  { origin, ids, maxLogSoftmax, loss = null, layers, views, hooks }: SequenceMeasurements,
  blocks: number,
  isSampled: boolean,
): SequenceReport {
  const subject = { kind: 'sequence', name } as const;
  if (ids.length === 0)
    throw new InputError(`the ${name} sequence is empty; give at least one token`, {
      code: 'text-empty',
      subject,
    });
  if (maxLogSoftmax && maxLogSoftmax.length !== ids.length)
    throw new InputError(
      `the ${name} sequence has ${ids.length} tokens but ${maxLogSoftmax.length} maximum log-softmax values`,
      { code: 'lengths-unequal', subject },
    );
  if (loss && loss.length !== ids.length - 1)
    throw new InputError(`the ${name} sequence has ${ids.length} tokens but ${loss.length} losses`, {
      code: 'lengths-unequal',
      subject,
    });
  if (layers.length !== blocks + 1)
    throw new InputError(
      `the ${name} sequence has ${layers.length} measured states; a model of ${blocks} layers has ${blocks + 1}`,
      { code: 'lengths-unequal', subject },
    );
  const idList = Array.from(ids);
  return {
    ...(isSampled &&
      origin && { kind: origin.kind, seed: origin.seed, block: origin.block, start: origin.start }),
    ids: idList,
    unique_tokens: new Set(idList).size,
    max_log_softmax: maxLogSoftmax && summarise(Array.from(maxLogSoftmax)),
    loss: loss && loss.length > 0 ? { values: Array.from(loss), mean: meanOf(Array.from(loss)) } : null,
    layers: layers.map((measured, layer) => ({ layer, ...pickMeasures(measured) })),
    ...(views && { views: viewReports(views) }),
    ...(hooks && { hooks: buildHooks(hooks) }),
  };
}

function buildHooks(hooks: HookMeasurements): Record<string, HookReport[]> {
  const entries = Object.entries(hooks).map(([name, measured]) => [
    name,
    measured.map(({ layer, name: whole, columns, ...dimensions }) => ({
      layer,
      name: whole,
      columns,
      ...pickMeasures(dimensions),
    })),
  ]);
  return Object.fromEntries(entries) as Record<string, HookReport[]>;
}

function summarise(values: number[]): NonNullable<SequenceReport['max_log_softmax']> {
  return { values, mean: meanOf(values), histogram: freedmanDiaconis(values) };
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Fields that a layer may have besides its dimensions. */
const besideNames = [
  'tokens',
  'outliers',
  ...layerMeasureNames,
  ...allComparisons,
] as const satisfies readonly (keyof LayerMeasurements)[];

function pickMeasures(measured: LayerMeasurements): LayerMeasurements {
  const beside = besideNames.filter((name) => measured[name] !== undefined);
  const entries = [...measureNames, ...beside].map((name) => [name, measured[name]] as const);
  return Object.fromEntries(entries) as unknown as LayerMeasurements;
}

function viewReports(
  views: NonNullable<SequenceMeasurements['views']>,
): NonNullable<SequenceReport['views']> {
  return Object.fromEntries(
    Object.entries(views).map(([name, layers]) => [
      name,
      { layers: layers.map((measured, layer) => ({ layer, ...measured })) },
    ]),
  );
}
