import { readFixture } from '#platform';
import type { CapturedActivation } from '../../src/engine/hooks.ts';
import type { ModelFiles } from '../../src/engine/files.ts';
import { fixtureFiles, readFixtureTensors } from './fixture-files.ts';
import type { FixtureTensor } from './fixture-files.ts';

/** Cases whose named activations, edits and lens Hugging Face transformers answered; each has two sequences. */
export const activationCases = [
  'gpt2-f16',
  'gpt2-inner-inverse',
  'gpt2-plain',
  'llama-3-gqa-bf16',
  'neox-parallel-odd-heads',
  'neox-sequential-bf16-sharded',
  'qwen3-tied',
] as const;
export type ActivationCase = (typeof activationCases)[number];

const folderOf = (name: ActivationCase) => `test/golden/activations/${name}`;

export function activationFiles(name: ActivationCase): ModelFiles {
  return fixtureFiles(folderOf(name));
}

/** An edit as edits.json says it. */
export interface GoldenEdit {
  readonly name: string;
  readonly hook?: string;
  readonly op?: 'zero' | 'replace' | 'add' | 'uniform';
  readonly positions?: 'all' | readonly number[];
  readonly head?: number;
  readonly row?: number;
  /** A key of edits.safetensors, SEQ standing for the sequence. */
  readonly value?: string;
  /** Names of edits that are made together. */
  readonly edits?: readonly string[];
}

export interface GoldenActivations {
  /** a and b. */
  readonly ids: readonly Int32Array[];
  /** `SEQ.NAME`. */
  readonly activations: ReadonlyMap<string, FixtureTensor>;
  readonly edits: readonly GoldenEdit[];
  readonly edited: ReadonlyMap<string, FixtureTensor>;
  readonly lens: ReadonlyMap<string, FixtureTensor>;
}

export const sequenceNames = ['a', 'b'] as const;

const kept = new Map<ActivationCase, Promise<GoldenActivations>>();

/** The answers of a case, read once; nobody may change them. */
export function readActivations(name: ActivationCase): Promise<GoldenActivations> {
  let answers = kept.get(name);
  if (!answers) kept.set(name, (answers = read(name)));
  return answers;
}

async function read(name: ActivationCase): Promise<GoldenActivations> {
  const tensorsOf = (file: string) => readFixtureTensors(`${folderOf(name)}/${file}.safetensors`);
  const [expected, activations, edited, lens] = await Promise.all(
    ['expected', 'activations', 'edits', 'lens'].map(tensorsOf),
  );
  const json = JSON.parse(new TextDecoder().decode(await readFixture(`${folderOf(name)}/edits.json`))) as {
    edits: GoldenEdit[];
  };
  const ids = sequenceNames.map((sequence) => expected!.get(`${sequence}.ids`)!.values as Int32Array);
  return { ids, activations: activations!, edits: json.edits, edited: edited!, lens: lens! };
}

/** One sequence's values of an activation that a batch of several gave, and their shape. */
export function ofSequence(
  activation: CapturedActivation,
  sequence: number,
): Pick<CapturedActivation, 'shape' | 'values'> {
  const [sequences = 1, ...shape] = activation.shape;
  const size = activation.values.length / sequences;
  return { shape, values: activation.values.slice(sequence * size, (sequence + 1) * size) };
}
