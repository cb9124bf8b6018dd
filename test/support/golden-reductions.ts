import { readFixture } from '#platform';
import { readFixtureTensors } from './fixture-files.ts';
import type { FixtureTensor } from './fixture-files.ts';

/** Cases whose states transformers cut to their first components, each with two sequences. */
export const reductionCases = ['gpt2-plain', 'neox-parallel-odd-heads'] as const;
export type ReductionCase = (typeof reductionCases)[number];

/** What a cut to r components came to. */
interface GoldenCut {
  readonly r: number;
  readonly mean_loss: number;
  /** Of blocks.l.hook_resid_post, from the layer of the cut on. */
  readonly relative_delta_of_resid_post_from_this_layer_on: readonly number[];
}

export interface GoldenReductions {
  readonly sequences: Readonly<
    Record<
      string,
      {
        readonly clean_mean_loss: number;
        readonly layers: Readonly<Record<string, Readonly<Record<'r1' | 'r95' | 'rfull', GoldenCut>>>>;
      }
    >
  >;
  /** `SEQ.layerl.R.reduced` and `SEQ.layerl.R.logits`. */
  readonly tensors: ReadonlyMap<string, FixtureTensor>;
}

export async function readReductions(name: ReductionCase): Promise<GoldenReductions> {
  const folder = `test/golden/activations/${name}`;
  const json = new TextDecoder().decode(await readFixture(`${folder}/reduction.json`));
  const { sequences } = JSON.parse(json) as Pick<GoldenReductions, 'sequences'>;
  return { sequences, tensors: await readFixtureTensors(`${folder}/reduction.safetensors`) };
}
