import type { Checkpoint } from '../checkpoint.ts';
import type { Gpt2Config } from '../config.ts';
import type { Architecture } from './architecture.ts';

type Gpt2Weight =
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Weight`
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Bias`;

/**
 * GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, attention then MLP, each added to the residual.
 * Its matrices are Conv1D's: [in, out].
 */
export function gpt2(config: Gpt2Config, checkpoint: Checkpoint): Architecture<Gpt2Weight> {
  const { width, innerWidth, heads, headWidth, vocabulary, context, normEpsilon, activation } = config;
  const prefix = checkpoint.find('transformer.wte.weight') ? 'transformer.' : '';
  const tokens = { name: `${prefix}wte.weight`, shape: [vocabulary, width] };
  return {
    embeddings: [
      { table: tokens, by: 'token' },
      { table: { name: `${prefix}wpe.weight`, shape: [context, width] }, by: 'position' },
    ],

    blockWeights(layer) {
      const block = `${prefix}h.${layer}`;
      return {
        attentionNormWeight: { name: `${block}.ln_1.weight`, shape: [width] },
        attentionNormBias: { name: `${block}.ln_1.bias`, shape: [width] },
        queryKeyValueWeight: { name: `${block}.attn.c_attn.weight`, shape: [width, 3 * width] },
        queryKeyValueBias: { name: `${block}.attn.c_attn.bias`, shape: [3 * width] },
        projectionWeight: { name: `${block}.attn.c_proj.weight`, shape: [width, width] },
        projectionBias: { name: `${block}.attn.c_proj.bias`, shape: [width] },
        mlpNormWeight: { name: `${block}.ln_2.weight`, shape: [width] },
        mlpNormBias: { name: `${block}.ln_2.bias`, shape: [width] },
        mlpInWeight: { name: `${block}.mlp.c_fc.weight`, shape: [width, innerWidth] },
        mlpInBias: { name: `${block}.mlp.c_fc.bias`, shape: [innerWidth] },
        mlpOutWeight: { name: `${block}.mlp.c_proj.weight`, shape: [innerWidth, width] },
        mlpOutBias: { name: `${block}.mlp.c_proj.bias`, shape: [width] },
      };
    },

    finalNorm: {
      weight: { name: `${prefix}ln_f.weight`, shape: [width] },
      bias: { name: `${prefix}ln_f.bias`, shape: [width] },
    },
    head: config.tiedEmbeddings ? tokens : { name: 'lm_head.weight', shape: [vocabulary, width] },

    block(pass, weights, layer) {
      const { residual } = pass; // [B·T, d]
      const scale =
        (config.scaleAttention ? 1 / Math.sqrt(headWidth) : 1) /
        (config.scaleAttentionByInverseLayer ? layer + 1 : 1);

      // x ← x + projection(attention(ln_1 x))
      const normed = pass.layerNorm(residual, 'normed', {
        weight: weights.attentionNormWeight,
        bias: weights.attentionNormBias,
        epsilon: normEpsilon,
      });
      const queryKeyValue = pass.linear(normed, 'queryKeyValue', {
        weight: weights.queryKeyValueWeight, // [d, 3d], queries | keys | values
        bias: weights.queryKeyValueBias,
        layout: '[in, out]',
      });
      const attended = pass.attention(queryKeyValue, 'attended', {
        heads,
        headWidth,
        headStride: headWidth,
        keyOffset: width,
        valueOffset: 2 * width,
        scale,
      });
      pass.addLinear(attended, residual, {
        weight: weights.projectionWeight,
        bias: weights.projectionBias,
        layout: '[in, out]',
      });

      // x ← x + out(activation(in(ln_2 x)))
      const mlpNormed = pass.layerNorm(residual, 'normed', {
        weight: weights.mlpNormWeight,
        bias: weights.mlpNormBias,
        epsilon: normEpsilon,
      });
      const inner = pass.linear(mlpNormed, 'inner', {
        weight: weights.mlpInWeight, // [d, 4d]
        bias: weights.mlpInBias,
        layout: '[in, out]',
        activation,
      });
      pass.addLinear(inner, residual, {
        weight: weights.mlpOutWeight, // [4d, d]
        bias: weights.mlpOutBias,
        layout: '[in, out]',
      });
    },
  };
}
