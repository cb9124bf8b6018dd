import type { Band } from './bands.ts';
import type { LayerDimensions } from './dimensions.ts';
import type { Histogram } from './histogram.ts';
import type { ComparisonName } from './measures/comparisons.ts';
import type { LayerMeasurements, ViewLayer } from './measures/layer-fields.ts';
import type { MeasureName } from './measures/table.ts';
import type { SequenceKind } from './profile-sequences.ts';
import type { ViewName } from './views.ts';

/** The version that writes the report; the same as package.json's. */
export const laminarVersion = '0.1.0';

/** The options of a profile if none are given. */
export const profileDefaults = { seed: 28, threshold: 95 } as const;

/** One residual-stream state, measured; `layer` 0 is the embedding. */
export interface LayerReport extends LayerMeasurements {
  layer: number;
}

/** The same of one view of the states; a view that equals the layer itself says so. */
export type ViewLayerReport = { layer: number } & ViewLayer;

export interface SequenceReport {
  /** What it is; these four are there only where a report has more sequences than the usual two. */
  kind?: SequenceKind;
  /** The seed of its permutation; null if none was made. */
  seed?: number | null;
  /** Tokens of the blocks that were shuffled; null if none were. */
  block?: number | null;
  /** Its first token in the text; null if ids were given. */
  start?: number | null;
  ids: number[];
  /** How many different ids there are. */
  unique_tokens: number;
  /** null if the model gives no logits. */
  max_log_softmax: {
    /** max(logits) − logsumexp(logits) for every position, in nats. */
    values: number[];
    mean: number;
    histogram: Histogram;
  } | null;
  /** The loss of the next token at every position except the last; null without logits, and for one token. */
  loss?: {
    /** Minus its log-probability, [T − 1] in nats. */
    values: number[];
    mean: number;
  } | null;
  /** States 0 to L, in order. */
  layers: LayerReport[];
  /** Only where views are asked for. */
  views?: Partial<Record<ViewName, { layers: ViewLayerReport[] }>>;
  /** Named activations, by their names with * for the layer's number; only if some were asked for. */
  hooks?: Record<string, HookReport[]>;
}

/** What was asked for besides the usual. */
export interface MeasuredReport {
  measures: (MeasureName | ComparisonName)[];
  views: ViewName[];
  without_dimensions: number[];
}

/** A named activation, measured as a matrix of tokens by features. */
export interface HookReport extends LayerDimensions {
  /** The number of its block, from 0; null before and after the blocks. */
  layer: number | null;
  name: string;
  /** Columns of the matrix; heads stand side by side in them. */
  columns: number;
}

/** The sequences of a report by their names. */
export interface SequenceReports {
  real: SequenceReport;
  shuffled: SequenceReport;
  /** `shuffled_2`, `block_16_1`, `window_2` …, where they are asked for. */
  [name: string]: SequenceReport;
}

/** How many sequences were asked for besides the usual ones. */
export interface SamplingReport {
  shuffles: number;
  shuffle_blocks: number[];
  windows: number;
}

export interface ModelReport {
  id: string;
  /** model_type of its config.json: gpt2, llama. */
  architecture: string;
  layers: number;
  width: number;
  heads: number;
  vocabulary: number;
  context: number;
  parameters: number;
  /** As the checkpoint stores its weights: F32, F16, BF16. */
  dtype: string;
  /** The commit on the hub; null for a folder. */
  revision: string | null;
}

export interface AdapterSummary {
  vendor: string;
  architecture: string;
  description: string;
  /** True if a CPU plays the GPU. */
  software: boolean;
}

export interface TextReport {
  /** The file or URL that was read. */
  source: string;
  /** The hash of the text's bytes, in hexadecimal. */
  sha256: string;
  /** Tokens of the whole text. */
  tokens: number;
  /** The window that was run: its first token, and how many. */
  start: number;
  length: number;
  /** Both ends of the window as text, 80 characters each. */
  preview: { first: string; last: string };
}

export interface Timings {
  load: number;
  forward: number;
  spectrum: number;
  total: number;
}

/** report.json, whole. */
export interface Report {
  laminar: string;
  model: ModelReport;
  adapter: AdapterSummary;
  /** null if token ids were given. */
  text: TextReport | null;
  /** Percent of the variance that the effective dimension must exceed. */
  threshold: number;
  /** The seed of the permutation that made the shuffled sequence. */
  seed: number;
  /** Only where measures or views are asked for. */
  measured?: MeasuredReport;
  /** Only where more sequences than the usual are asked for. */
  sampling?: SamplingReport;
  sequences: SequenceReports;
  /** With `sampling`: by the names of groups of sequences, `shuffled`, `block_16`, `window`. */
  bands?: Record<string, Band>;
  timings_ms: Timings;
}

/** The two sequences that every report has, in the order in which tables and figures show them. */
export const sequenceNames = ['real', 'shuffled'] as const;
export type SequenceName = (typeof sequenceNames)[number];

/** Something of each sequence, by its name: of the two that are always there, and of others. */
export interface SequencesBy<Value> {
  readonly real: Value;
  readonly shuffled: Value;
  readonly [name: string]: Value;
}
