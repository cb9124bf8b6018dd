import type { ConfigFields, ModelConfig } from '../config.ts';
import { readActivation, readHeads } from '../config.ts';
import type { Architecture, Family } from './architecture.ts';
import { headSlices } from './steps.ts';

type Gpt2Weight =
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Weight`
  | `${'attentionNorm' | 'queryKeyValue' | 'projection' | 'mlpNorm' | 'mlpIn' | 'mlpOut'}Bias`;

interface Gpt2Config extends ModelConfig {
  /** Divide the scores by the square root of the head's width. */
  readonly scaleAttention: boolean;
  /** Divide the scores by the layer's number, from 1. */
  readonly scaleAttentionByInverseLayer: boolean;
}

/**
 * GPT-2 (Radford et al. 2019): learned positions, pre-norm blocks, attention then MLP, each added to the residual.
 * Its matrices are Conv1D's: [in, out].
 */
export const gpt2: Family = {
  modelType: 'gpt2',
  classPrefix: 'GPT2',
  describe: (fields) => describe(readConfig(fields)),
};

/** As transformers' GPT2Config, with its defaults for what is not a size. */
function readConfig(fields: ConfigFields): Gpt2Config {
  const width = fields.count(['n_embd', 'hidden_size']);
  return {
    architecture: gpt2.modelType,
    layers: fields.count(['n_layer', 'num_hidden_layers']),
    width,
    ...readHeads(fields, ['n_head', 'num_attention_heads'], width),
    innerWidth: fields.count(['n_inner'], 4 * width),
    vocabulary: fields.count(['vocab_size']),
    context: fields.count(['n_positions', 'max_position_embeddings', 'n_ctx']),
    activation: readActivation(fields, ['activation_function'], 'gelu_new'),
    normEpsilon: fields.nonNegative(['layer_norm_epsilon'], 1e-5),
    tiedEmbeddings: fields.flag('tie_word_embeddings', true),
    scaleAttention: fields.flag('scale_attn_weights', true),
    scaleAttentionByInverseLayer: fields.flag('scale_attn_by_inverse_layer_idx', false),
  };
}

function describe(config: Gpt2Config): Architecture<Gpt2Weight, never, 'weight' | 'bias'> {
  const { width, innerWidth, heads, headWidth, vocabulary, context, activation } = config;
  const epsilon = config.normEpsilon;
  return {
    config,
    basePrefix: 'transformer.',
    embeddings: [
      { table: { name: 'wte.weight', shape: [vocabulary, width] }, by: 'token' },
      { table: { name: 'wpe.weight', shape: [context, width] }, by: 'position' },
    ],
    blocks: 'h',

    blockWeights: () => ({
      attentionNormWeight: { name: 'ln_1.weight', shape: [width], isScale: true },
      attentionNormBias: { name: 'ln_1.bias', shape: [width] },
      queryKeyValueWeight: { name: 'attn.c_attn.weight', shape: [width, 3 * width] },
      queryKeyValueBias: { name: 'attn.c_attn.bias', shape: [3 * width] },
      projectionWeight: { name: 'attn.c_proj.weight', shape: [width, width] },
      projectionBias: { name: 'attn.c_proj.bias', shape: [width] },
      mlpNormWeight: { name: 'ln_2.weight', shape: [width], isScale: true },
      mlpNormBias: { name: 'ln_2.bias', shape: [width] },
      mlpInWeight: { name: 'mlp.c_fc.weight', shape: [width, innerWidth] },
      mlpInBias: { name: 'mlp.c_fc.bias', shape: [innerWidth] },
      mlpOutWeight: { name: 'mlp.c_proj.weight', shape: [innerWidth, width] },
      mlpOutBias: { name: 'mlp.c_proj.bias', shape: [width] },
    }),
    blockBuffers: [
      { name: 'attn.bias', shape: [1, 1, context, context], dtype: 'model', content: 'causal-mask' },
    ],

    finalWeights: {
      weight: { name: 'ln_f.weight', shape: [width], isScale: true },
      bias: { name: 'ln_f.bias', shape: [width] },
    },
    head: { name: 'lm_head.weight', shape: [vocabulary, width] },

    block(steps, weights, layer) {
      const { residual } = steps; // [B·T, d]
      const scale =
        (config.scaleAttention ? 1 / Math.sqrt(headWidth) : 1) /
        (config.scaleAttentionByInverseLayer ? layer + 1 : 1);

      // x ← x + projection(attention(ln_1 x))
      const normed = steps.layerNorm(residual, 'normed', {
        weight: weights.attentionNormWeight,
        bias: weights.attentionNormBias,
        epsilon,
        name: 'ln1',
      });
      const queryKeyValue = steps.linear(normed, 'queryKeyValue', {
        weight: weights.queryKeyValueWeight, // [d, 3d], queries | keys | values
        bias: weights.queryKeyValueBias,
        layout: '[in, out]',
      });
      const perHead = { heads, headWidth, headStride: headWidth, keyOffset: width, valueOffset: 2 * width };
      const { query, key, value } = headSlices(perHead);
      steps.activation('attn.hook_q', queryKeyValue, query);
      steps.activation('attn.hook_k', queryKeyValue, key);
      steps.activation('attn.hook_v', queryKeyValue, value);
      const attended = steps.attention(queryKeyValue, 'attended', { ...perHead, scale, name: 'attn' });
      steps.addLinear(attended, residual, {
        weight: weights.projectionWeight,
        bias: weights.projectionBias,
        layout: '[in, out]',
        name: 'hook_attn_out',
      });
      steps.activation('hook_resid_mid', residual);

      // x ← x + out(activation(in(ln_2 x)))
      const mlpNormed = steps.layerNorm(residual, 'normed', {
        weight: weights.mlpNormWeight,
        bias: weights.mlpNormBias,
        epsilon,
        name: 'ln2',
      });
      const inner = steps.linear(mlpNormed, 'inner', {
        weight: weights.mlpInWeight, // [d, 4d]
        bias: weights.mlpInBias,
        layout: '[in, out]',
        activation,
        name: 'mlp.hook_pre',
      });
      steps.activation('mlp.hook_post', inner);
      steps.addLinear(inner, residual, {
        weight: weights.mlpOutWeight, // [4d, d]
        bias: weights.mlpOutBias,
        layout: '[in, out]',
        name: 'hook_mlp_out',
      });
    },

    final: (steps, weights) =>
      steps.layerNorm(steps.residual, 'normed', { ...weights, epsilon, name: 'ln_final' }),
  };
}
