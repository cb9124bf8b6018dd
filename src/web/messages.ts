import type { ViewRequest } from '../analysis/measures/measure-views.ts';
import type { Sampling } from '../analysis/profile-sequences.ts';
import type { SequenceName } from '../analysis/report.ts';
import type { PageRun, TokenTexts } from './page-run.ts';

/** Where a model comes from. */
export type ModelChoice =
  | { readonly kind: 'bundled'; readonly name: string }
  | { readonly kind: 'hub'; readonly id: string; readonly revision: string }
  | { readonly kind: 'folder'; readonly name: string; readonly files: readonly File[] };

/** Where the tokens come from. */
export type TextChoice =
  | { readonly kind: 'bundled' }
  | { readonly kind: 'pasted'; readonly text: string }
  | { readonly kind: 'file'; readonly file: File }
  | { readonly kind: 'url'; readonly url: string }
  /** The text of an ids file: an array, or {"real": […], "shuffled": […]}. */
  | { readonly kind: 'ids'; readonly json: string };

/** Everything that the form asks; the command's flags. */
export interface RunRequest {
  readonly model: ModelChoice;
  readonly text: TextChoice;
  /** undefined: the model's context. */
  readonly tokens: number | undefined;
  /** undefined: the middle of the text. */
  readonly start: number | undefined;
  readonly seed: number;
  readonly threshold: number;
  /** Shuffles, blocks and windows; undefined: the usual ones. */
  readonly sampling?: Sampling | undefined;
  /** Views and measures of every state; undefined: the usual diagnostics alone. */
  readonly measured?: ViewRequest | undefined;
  /** The maximum number of bytes of GPU buffers; undefined: as much as the adapter suggests. */
  readonly gpuMemory: number | undefined;
}

/** The stages of a run, in order; each has a bar. */
export const stages = ['tokens', 'download', 'load', 'forward', 'spectrum'] as const;
export type Stage = (typeof stages)[number];

/** What the kernels say of a cloud of points in the plane. */
export interface CloudSpectrum {
  /** [2], descending. */
  readonly singularValues: readonly number[];
  /** [2], of the variance, running. */
  readonly cumulativePercent: readonly number[];
  readonly rank: number;
  readonly effectiveDimension: number;
}

/** What is known of a run before its end. */
export type RunNews =
  /** What will be read. */
  | {
      readonly kind: 'window';
      /** L: states 0 to L come. */
      readonly layers: number;
      /** min(T, d) */
      readonly components: number;
      readonly ids: Readonly<Record<SequenceName, Int32Array>>;
      readonly texts: TokenTexts | undefined;
    }
  /** A state is measured. */
  | {
      readonly kind: 'layer';
      readonly sequence: SequenceName;
      readonly layer: number;
      readonly dimension: number;
    }
  /** The model has read a sequence: max(logits) − logsumexp(logits), [T]. */
  | { readonly kind: 'softmax'; readonly sequence: SequenceName; readonly values: Float32Array };

/** From the page to its worker. Each is answered by one `done` or `failed` with its number. */
export type Question =
  | { readonly kind: 'profile'; readonly request: RunRequest }
  | { readonly kind: 'states'; readonly request: RunRequest }
  /** Clouds of equally many points, [points, 2] each. */
  | { readonly kind: 'clouds'; readonly clouds: readonly Float32Array[]; readonly threshold: number };

/** What answers each kind of question. */
export interface Answers {
  profile: PageRun;
  states: Blob;
  clouds: readonly CloudSpectrum[];
}

export type ToWorker =
  | { readonly kind: 'ask'; readonly number: number; readonly question: Question }
  | { readonly kind: 'stop'; readonly number: number }
  /** Asks whether the worker still runs; it answers `alive`. */
  | { readonly kind: 'ping' };

export type FromWorker =
  | { readonly kind: 'done'; readonly number: number; readonly answer: Answers[Question['kind']] }
  | { readonly kind: 'failed'; readonly number: number; readonly message: string; readonly stopped: boolean }
  | {
      readonly kind: 'progress';
      readonly number: number;
      readonly stage: Stage;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: 'news'; readonly number: number; readonly news: RunNews }
  /** A sentence that does not end the run. */
  | { readonly kind: 'notice'; readonly number: number; readonly message: string }
  | { readonly kind: 'alive' };
