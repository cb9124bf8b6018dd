import { readFixture } from '#platform';
import type { ModelFiles } from '../../src/engine/files.ts';
import { fixtureFiles, readFixtureTensors } from './fixture-files.ts';

/** Every golden case: Hugging Face's answers, in test/golden/NAME or test/golden/activations/NAME. */
export const goldenCases = [
  'alice-gpt2',
  'alice-pythia',
  'gpt2-f16',
  'gpt2-inner-gelu',
  'gpt2-inverse-layer-scale',
  'gpt2-massive',
  'gpt2-noprefix-tied',
  'gpt2-one-token',
  'gpt2-prefix-f32',
  'llama-2-mha-f16',
  'llama-3-gqa-bf16',
  'llama-3.1-scaled-8192',
  'llama-biases-f32',
  'mistral-v0.3',
  'neox-bf16-sharded',
  'neox-f16',
  'neox-f32-sequential',
  'neox-full-rotary',
  'qwen2.5-tied',
  'qwen3-tied',
  'smollm-tied',
] as const;
export type GoldenCase = (typeof goldenCases)[number];

/** Cases that hold named activations besides. */
const withActivations: readonly GoldenCase[] = ['llama-3-gqa-bf16', 'qwen3-tied'];

function folderOf(name: GoldenCase): string {
  return withActivations.includes(name) ? `test/golden/activations/${name}` : `test/golden/${name}`;
}

/** The model whose answers a golden case holds; the trained ones lie in weights/. */
export function goldenFiles(name: GoldenCase): ModelFiles {
  return fixtureFiles(name.startsWith('alice-') ? `weights/${name}` : folderOf(name));
}

/** What Hugging Face answered for one sequence. T tokens, L layers, width d, vocabulary V. */
export interface GoldenSequence {
  readonly name: string;
  readonly ids: Int32Array;
  /** [L+1, T, d] */
  readonly hiddenStates: Float32Array;
  /** [T, V], absent for the alice models. */
  readonly logits: Float32Array | undefined;
  readonly maxLogSoftmax: Float32Array;
  /** [L+1, min(T, d)] */
  readonly singularValues: Float64Array;
  /** Per layer, per threshold. */
  readonly effective: readonly (readonly number[])[];
  readonly rank: readonly number[];
  readonly uniqueTokens: number;
}

export interface GoldenAnswers {
  readonly thresholds: readonly number[];
  readonly sequences: readonly GoldenSequence[];
}

interface ExpectedJson {
  thresholds: number[];
  sequences: Record<string, { effective: number[][]; rank: number[]; unique_tokens: number }>;
}

export async function readGolden(name: GoldenCase): Promise<GoldenAnswers> {
  const folder = folderOf(name);
  const tensors = await readFixtureTensors(`${folder}/expected.safetensors`);
  const json = JSON.parse(
    new TextDecoder().decode(await readFixture(`${folder}/expected.json`)),
  ) as ExpectedJson;
  const values = (key: string) => tensors.get(key)?.values;
  const sequences = Object.entries(json.sequences).map(
    ([sequence, { effective, rank, unique_tokens: uniqueTokens }]): GoldenSequence => ({
      name: sequence,
      ids: values(`${sequence}.ids`) as Int32Array,
      hiddenStates: values(`${sequence}.hidden_states`) as Float32Array,
      logits: values(`${sequence}.logits`) as Float32Array | undefined,
      maxLogSoftmax: values(`${sequence}.max_log_softmax`) as Float32Array,
      singularValues: values(`${sequence}.singular_values_f64`) as Float64Array,
      effective,
      rank,
      uniqueTokens,
    }),
  );
  return { thresholds: json.thresholds, sequences };
}
