import type { ModelDescription } from '../../engine/description.ts';
import { jsonText } from '../json.ts';
import { laminarVersion } from '../report.ts';
import type { AdapterSummary, ModelReport, SequenceName, TextReport } from '../report.ts';
import type { Components } from './components.ts';
import type { CutLayer } from './cut-layers.ts';
import type { ReductionRequest, Reductions, StateChange, StateReduction } from './reduce-states.ts';

/** Losses of positions 0 to T − 2, in nats. */
interface LossReport {
  mean: number;
  values: number[];
}

/** One run with one state cut. */
export interface CutReport {
  layer: CutLayer;
  /** What was asked for: a number of components, or a percent of the variance. */
  asked: Components;
  /** r, at most the rank. */
  components: number;
  /** The rank of the state, by the tolerance of `laminar profile`. */
  rank: number;
  /** Percent of the variance that the r components hold; null without variance. */
  explained_percent: number | null;
  /** null if the model gives no logits. */
  logits: {
    /** From the distribution without the cut to the one with it, in nats, for each position. */
    kl: { mean: number; max: number; values: number[] };
    /** The largest change of a log-softmax of any token, at each position; `max` is that of all. */
    log_softmax_change: { max: number; values: number[] };
    /** The share of positions at which the most probable token stays. */
    argmax_agreement: number;
  } | null;
  /** null if the model gives no logits, or there is one token. */
  loss: (LossReport & { change: number }) | null;
  /** ‖changed − original‖ / ‖original‖ of the cut state and all later ones. */
  states: StateChange[];
}

export interface ReducedSequence {
  ids: number[];
  unique_tokens: number;
  /** Without a cut. */
  loss: LossReport | null;
  cuts: CutReport[];
}

/** report.json of `laminar reduce`. */
export interface ReductionReport {
  laminar: string;
  model: ModelReport;
  adapter: AdapterSummary;
  /** null if token ids were given. */
  text: TextReport | null;
  /** The seed of the permutation that shuffles. */
  seed: number;
  reduction: { layers: CutLayer[]; components: Components[] };
  sequences: { real: ReducedSequence; shuffled?: ReducedSequence };
  timings_ms: { load: number; reduce: number; total: number };
}

export interface ReductionReportParts {
  readonly description: ModelDescription;
  readonly id: string;
  readonly revision: string | null;
  readonly adapter: AdapterSummary;
  readonly text: TextReport | null;
  readonly seed: number;
  readonly request: ReductionRequest;
  /** In the order in which they were run. */
  readonly sequences: readonly { readonly name: SequenceName; readonly ids: Int32Array }[];
  readonly reductions: Reductions;
  readonly timings: ReductionReport['timings_ms'];
}

export function buildReductionReport(parts: ReductionReportParts): ReductionReport {
  const { description, id, revision, adapter, text, seed, request, reductions, timings } = parts;
  const { architecture, layers, width, heads, vocabulary, context } = description.config;
  const { parameters, dtype } = description;
  const { vendor, architecture: kind, description: adapterName, software } = adapter;
  const sequences = parts.sequences.map(({ name, ids }, index) => [name, sequenceOf(ids, index, reductions)]);
  return {
    laminar: laminarVersion,
    model: { id, architecture, layers, width, heads, vocabulary, context, parameters, dtype, revision },
    adapter: { vendor, architecture: kind, description: adapterName, software },
    text,
    seed,
    reduction: { layers: [...request.layers], components: [...request.components] },
    sequences: Object.fromEntries(sequences) as ReductionReport['sequences'],
    timings_ms: timings,
  };
}

/** @throws NumericalError if a number in it is not finite */
export function reductionJson(report: ReductionReport): string {
  return jsonText(report, 'report.json');
}

function sequenceOf(ids: Int32Array, index: number, { cuts, loss }: Reductions): ReducedSequence {
  const original = loss && lossOf(loss[index]!);
  return {
    ids: Array.from(ids),
    unique_tokens: new Set(ids).size,
    loss: original,
    cuts: cuts.filter(({ sequence }) => sequence === index).map((cut) => cutOf(cut, original)),
  };
}

function cutOf(cut: StateReduction, original: LossReport | null): CutReport {
  const { layer, asked, components, rank, explained, states, logits, loss } = cut;
  const own = loss && lossOf(loss);
  return {
    layer,
    asked,
    components,
    rank,
    explained_percent: explained,
    logits: logits && {
      kl: {
        mean: mean(logits.divergence),
        max: maxOf(logits.divergence),
        values: Array.from(logits.divergence),
      },
      log_softmax_change: { max: maxOf(logits.largest), values: Array.from(logits.largest) },
      argmax_agreement: logits.argmaxAgreement,
    },
    loss: own && original && { ...own, change: own.mean - original.mean },
    states: [...states],
  };
}

function lossOf(values: Float32Array): LossReport | null {
  return values.length === 0 ? null : { mean: mean(values), values: Array.from(values) };
}

/** The maximum of many values: there may be too many for the arguments of Math.max. */
function maxOf(values: Float64Array): number {
  return values.reduce((largest, value) => Math.max(largest, value), 0);
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}
