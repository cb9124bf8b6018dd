import type { ModelDescription } from './description.ts';
import { embeddingName, gatherRows, recordEmbedding } from './embedding.ts';
import type { ForwardPass } from './forward-pass.ts';
import type { Tensor } from './gpu/tensor.ts';
import type { HookedPass } from './hooks/hooked-pass.ts';

/**
 * residual ← Σ of the embeddings; submitted.
 * @param hooked looks at them on the way
 */
export async function embedSequences(
  pass: ForwardPass,
  { weights }: Pick<ModelDescription, 'weights'>,
  sequences: readonly Int32Array[],
  hooked?: HookedPass,
): Promise<void> {
  const ids = Int32Array.from(sequences.flatMap((sequence) => [...sequence]));
  const positions = ids.map((_, index) => index % sequences[0]!.length);
  for (const [index, { table, by }] of weights.embeddings.entries()) {
    using rows = await gatherRows(pass.gpu, table, by === 'token' ? ids : positions);
    const record = (target: Tensor, accumulate: boolean) => {
      recordEmbedding(pass.gpu, pass.recorder, rows, target, accumulate);
    };
    if (hooked) await hooked.embed(embeddingName(by), index === 0, record);
    else record(pass.residual, index > 0);
    pass.submit();
  }
}
