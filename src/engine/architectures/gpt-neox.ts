import type { Checkpoint } from '../checkpoint.ts';
import type { GptNeoxConfig } from '../config.ts';
import type { ForwardPass } from '../forward-pass.ts';
import type { Tensor } from '../gpu/tensor.ts';
import type { Architecture, BlockRecord } from './architecture.ts';

type GptNeoxWeight =
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Weight`
  | `${'attentionNorm' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Bias`;
type AttentionBias = 'queryKeyValueBias' | 'projectionBias';

/**
 * GPT-NeoX (Black et al. 2022), as Pythia: rotary positions on the first dimensions of each head, attention and MLP
 * both read the block's input (parallel residual) or follow each other. Its matrices are Linear's: [out, in].
 */
export function gptNeox(
  config: GptNeoxConfig,
  checkpoint: Checkpoint,
): Architecture<GptNeoxWeight, AttentionBias> {
  const { width, innerWidth, heads, headWidth, vocabulary, normEpsilon, activation } = config;
  const prefix = checkpoint.find('embed_in.weight') ? '' : 'gpt_neox.';
  const tokens = { name: `${prefix}embed_in.weight`, shape: [vocabulary, width] };
  type Weights = BlockRecord<GptNeoxWeight, AttentionBias, Tensor>;

  /** x ← x + dense(attention(rotary(query_key_value(normed)))) */
  function addAttention(pass: ForwardPass, normed: Tensor, weights: Weights): void {
    const queryKeyValue = pass.linear(normed, 'queryKeyValue', {
      weight: weights.queryKeyValueWeight, // [3d, d], rows query | key | value of one head after another
      bias: weights.queryKeyValueBias,
      layout: '[out, in]',
    });
    const perHead = { heads, headWidth, headStride: 3 * headWidth, keyOffset: headWidth };
    pass.rotate(queryKeyValue, { ...perHead, dimensions: config.rotaryDimensions, base: config.rotaryBase });
    const attended = pass.attention(queryKeyValue, 'attended', {
      ...perHead,
      valueOffset: 2 * headWidth,
      scale: 1 / Math.sqrt(headWidth),
    });
    pass.addLinear(attended, pass.residual, {
      weight: weights.projectionWeight,
      bias: weights.projectionBias,
      layout: '[out, in]',
    });
  }

  /** x ← x + out(activation(in(normed))) */
  function addMlp(pass: ForwardPass, normed: Tensor, weights: Weights): void {
    const inner = pass.linear(normed, 'inner', {
      weight: weights.mlpInWeight, // [4d, d]
      bias: weights.mlpInBias,
      layout: '[out, in]',
      activation,
    });
    pass.addLinear(inner, pass.residual, {
      weight: weights.mlpOutWeight, // [d, 4d]
      bias: weights.mlpOutBias,
      layout: '[out, in]',
    });
  }

  return {
    embeddings: [{ table: tokens, by: 'token' }],

    blockWeights(layer) {
      const block = `${prefix}layers.${layer}`;
      const attentionBiases = {
        queryKeyValueBias: { name: `${block}.attention.query_key_value.bias`, shape: [3 * width] },
        projectionBias: { name: `${block}.attention.dense.bias`, shape: [width] },
      };
      const weights = {
        attentionNormWeight: { name: `${block}.input_layernorm.weight`, shape: [width] },
        attentionNormBias: { name: `${block}.input_layernorm.bias`, shape: [width] },
        queryKeyValueWeight: { name: `${block}.attention.query_key_value.weight`, shape: [3 * width, width] },
        projectionWeight: { name: `${block}.attention.dense.weight`, shape: [width, width] },
        mlpNormWeight: { name: `${block}.post_attention_layernorm.weight`, shape: [width] },
        mlpNormBias: { name: `${block}.post_attention_layernorm.bias`, shape: [width] },
        mlpInWeight: { name: `${block}.mlp.dense_h_to_4h.weight`, shape: [innerWidth, width] },
        mlpInBias: { name: `${block}.mlp.dense_h_to_4h.bias`, shape: [innerWidth] },
        mlpOutWeight: { name: `${block}.mlp.dense_4h_to_h.weight`, shape: [width, innerWidth] },
        mlpOutBias: { name: `${block}.mlp.dense_4h_to_h.bias`, shape: [width] },
      };
      return config.attentionBias ? { ...weights, ...attentionBiases } : weights;
    },

    finalNorm: {
      weight: { name: `${prefix}final_layer_norm.weight`, shape: [width] },
      bias: { name: `${prefix}final_layer_norm.bias`, shape: [width] },
    },
    head: config.tiedEmbeddings ? tokens : { name: 'embed_out.weight', shape: [vocabulary, width] },

    block(pass, weights) {
      const { residual } = pass; // [B·T, d]
      const attentionNorm = {
        weight: weights.attentionNormWeight,
        bias: weights.attentionNormBias,
        epsilon: normEpsilon,
      };
      const mlpNorm = { weight: weights.mlpNormWeight, bias: weights.mlpNormBias, epsilon: normEpsilon };
      const normed = pass.layerNorm(residual, 'normed', attentionNorm);
      if (config.parallelResidual) {
        // x + attention(ln1 x) + mlp(ln2 x): both norms see x before either is added.
        const mlpNormed = pass.layerNorm(residual, 'mlpNormed', mlpNorm);
        addAttention(pass, normed, weights);
        addMlp(pass, mlpNormed, weights);
      } else {
        addAttention(pass, normed, weights);
        addMlp(pass, pass.layerNorm(residual, 'normed', mlpNorm), weights);
      }
    },
  };
}
